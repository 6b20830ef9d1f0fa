"""Files in a bucket of an object store that speaks S3. Whatever is on its way there lies on this machine's disk."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError, UnknownConfigurationKeyError
from obstore.store import S3Store

from domain.errors import StorageError
from domain.media_types import is_whole, media_type
from storage.names import checked
from storage.outage import Outage
from storage.s3_errors import answer, code, first_line
from storage.s3_signing import Signer
from storage.scratch import ScratchFolder
from storage.unfinished_uploads import abort_uploads

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
PART = 8 * MIB  # bytes: a larger file goes up in parts; 10,000 are allowed, so 80 GiB are the most
PARTS_AT_ONCE = 4
LARGE_AT_ONCE = 4  # files: with the parts of each in memory, 128 MiB are the most
CHECK_SECONDS = 8.0

# A check is to fail soon. A transfer is tried again until it cannot help any more: pieces are not fetched twice for it.
_QUICK: tuple[ClientConfig, RetryConfig] = (
    {"connect_timeout": "2s", "timeout": "4s"},
    {"max_retries": 1, "retry_timeout": timedelta(seconds=3)},
)
_PATIENT: tuple[ClientConfig, RetryConfig] = (
    {"connect_timeout": "5s", "timeout": "60s"},
    {"max_retries": 4, "retry_timeout": timedelta(seconds=30)},
)
_FAULTS = (BaseError, OSError, ValueError)


class ObjectStorage:
    """See ``domain.ports.Storage``. A PUT replaces a whole object or nothing, so each publishing is one step.

    ``options`` are the ``AWS_…`` variables; those that obstore does not know have no effect. ``public_endpoint`` is
    where players reach the store, if that is another address than ours.
    """

    is_remote = True

    def __init__(
        self,
        url: str,
        options: Mapping[str, str],
        scratch: Path,
        min_free_bytes: int = 0,
        *,
        public_endpoint: str | None = None,
    ) -> None:
        """Raises StorageError for a URL or options that cannot be used."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self._bucket, self._prefix = bucket, prefix.strip("/") or None
        self._options = {name: value for name, value in options.items() if _is_known(name)}
        self._store, self._quick = self._opened(*_PATIENT), self._opened(*_QUICK)
        self._public = self._opened(*_QUICK, endpoint=public_endpoint) if public_endpoint else self._quick
        self._signer = Signer.of(options)
        self._scratch = ScratchFolder(scratch)
        self._min_free_bytes = min_free_bytes
        self._outage = Outage(lambda: self._refusal() is None)
        self._large = threading.BoundedSemaphore(LARGE_AT_ONCE)

    def _opened(self, client: ClientConfig, retry: RetryConfig, endpoint: str | None = None) -> S3Store:
        options: Any = {**self._options, **({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})}
        plain = any(value.startswith("http://") for name, value in options.items() if name.startswith("AWS_ENDPOINT"))
        allowed: ClientConfig = {**client, "allow_http": True} if plain else client
        try:
            return S3Store(
                self._bucket, prefix=self._prefix, config=options, client_options=allowed, retry_config=retry
            )
        except _FAULTS as error:
            raise StorageError(f"object storage: {first_line(error)}") from error

    def require(self) -> None:
        """Make sure that files can be kept, within eight seconds. Raises StorageError, in words for the operator."""
        refused = ["it does not answer (AWS_ENDPOINT_URL, AWS_REGION)"]

        def check() -> None:
            refused[:] = [error] if (error := self._refusal()) else []

        # In a thread: a client without credentials may ask whatever machine it is on, for longer than that.
        checking = threading.Thread(target=check, name="object-store-check", daemon=True)
        checking.start()
        checking.join(CHECK_SECONDS)
        if refused:
            raise StorageError(refused[0])

    def _refusal(self) -> str | None:
        """Why no file can be kept right now; None when it can."""
        probe = f".{uuid4().hex}"
        try:
            obstore.put(self._quick, probe, b"?")
            obstore.head(self._quick, probe)
            obstore.delete(self._quick, probe)
        except FileNotFoundError:
            return f"there is no bucket {self._bucket}"
        except (PermissionDeniedError, UnauthenticatedError) as error:
            return f"it refuses us: {code(error)} (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
        except _FAULTS as error:
            logger.debug("The object store takes no file", exc_info=True)
            return f"{answer(error)} (AWS_ENDPOINT_URL, AWS_REGION)"
        return None

    # --- on this machine ---

    def scratch(self, key: str, run_number: int) -> Path:
        self._require_answers()  # before anything is fetched
        with self._on_disk():
            return self._scratch.file(key, run_number)

    def partial(self, key: str) -> Path:
        self._require_answers()
        with self._on_disk():
            return self._scratch.partial(key)

    def trim_partials(self, most: int, spare: Path | None = None) -> int:
        with self._on_disk():
            return self._scratch.trim(most, spare)

    def path(self, key: str) -> Path | None:
        """Nothing that is stored is here."""
        checked(key)
        return None

    def clear_scratch(self, prefix: str, *, before_run: int | None = None) -> None:
        self._scratch.clear(prefix.removesuffix("/"), before_run)

    # --- in the bucket ---

    def publish(self, scratch: Path, key: str) -> None:
        with self._on_disk():
            size = scratch.stat().st_size
        with self._large if size > PART else nullcontext():
            if size > PART:
                self._abort_uploads(checked(key))
            self._put(checked(key), scratch)
        with self._on_disk():
            scratch.unlink()

    def write(self, key: str, data: bytes) -> None:
        self._put(checked(key), data)

    def _put(self, key: str, content: Path | bytes) -> None:
        about = {"Content-Type": media_type(key)}
        if is_whole(key):
            about["Content-Disposition"] = f'inline; filename="{PurePosixPath(key).name}"'
        with self._answers():
            obstore.put(self._store, key, content, attributes=about, chunk_size=PART, max_concurrency=PARTS_AT_ONCE)

    def read(self, key: str) -> bytes | None:
        checked(key)
        with self._answers():
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError as error:
                _require_bucket(error)
                return None

    def blocks(self, key: str) -> Iterator[bytes]:
        for start in range(0, self.size(key) or 0, PART):  # one answer for all of it would have to come in a minute
            block = None
            with self._answers():
                try:
                    block = bytes(obstore.get_range(self._store, key, start=start, length=PART))
                except FileNotFoundError as error:
                    _require_bucket(error)
            if block is None:  # its task was deleted meanwhile: no outage
                raise StorageError("object storage: the file is gone")
            yield block

    def size(self, key: str) -> int | None:
        checked(key)
        with self._answers():
            try:
                return obstore.head(self._store, key)["size"]
            except FileNotFoundError as error:
                _require_bucket(error)
                return None

    def sizes(self, prefix: str) -> dict[str, int]:
        folder, _, start = prefix.rpartition("/")
        checked(folder)
        with self._answers():
            found = [meta for chunk in obstore.list(self._store, prefix=folder) for meta in chunk]
        sizes = {meta["path"]: meta["size"] for meta in found if meta["size"]}
        return {key: size for key, size in sizes.items() if key[len(folder) + 1 :].startswith(start)}

    def purge(self, prefix: str) -> None:
        folder = checked(prefix.removesuffix("/"))
        with self._on_disk():
            self._scratch.purge(folder)
        with self._answers():
            for chunk in obstore.list(self._store, prefix=folder):
                obstore.delete(self._store, [meta["path"] for meta in chunk])
        self._abort_uploads(f"{folder}/")

    def _abort_uploads(self, start: str) -> None:
        """What killed processes have left of uploads to keys that begin so."""
        if self._signer is None:
            return
        with self._answers():
            here = obstore.sign(self._store, "GET", "x", timedelta(seconds=1)).partition("?")[0]
        prefix = f"{self._prefix}/" if self._prefix else ""
        abort_uploads(self._signer, here.removesuffix(f"/{prefix}x"), f"{prefix}{start}")

    def url(
        self, key: str, seconds: int, method: Literal["GET", "HEAD"] = "GET", *, download: bool = False
    ) -> str | None:
        checked(key)
        with self._answers():
            signed = obstore.sign(self._public, method, key, timedelta(seconds=seconds))
        if not download or self._signer is None:
            return signed
        disposition = {"response-content-disposition": f'attachment; filename="{PurePosixPath(key).name}"'}
        return self._signer.signed(method, signed.partition("?")[0], disposition, seconds)

    # --- how it is ---

    def has_room(self) -> bool:
        if self._outage.is_on:
            return False
        with suppress(OSError):
            return self._scratch.free_bytes() >= self._min_free_bytes
        return True

    def answers(self) -> bool:
        refusal = self._refusal()
        if refusal is not None:
            logger.warning("The object store takes no file: %s", refusal)
        return refusal is None

    def _require_answers(self) -> None:
        if self._outage.is_on:
            raise StorageError("object storage: it does not answer")

    @contextmanager
    def _answers(self) -> Iterator[None]:
        """Raises StorageError, in words that hold neither key nor address."""
        self._require_answers()
        try:
            yield
        except _FAULTS as error:
            if isinstance(error, FileNotFoundError) and not code(error):  # not there, but here: its run was stopped
                raise StorageError("scratch: no such file") from error
            self._outage.begin()
            raise StorageError(f"object storage: {answer(error)}") from error

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"scratch: {(error.strerror or 'failed').lower()}") from error


def _require_bucket(error: FileNotFoundError) -> None:
    """There is no such file. Without its bucket nothing can be said to be missing: then it raises ``error``."""
    if code(error) == "NoSuchBucket":
        raise error


def _is_known(name: str) -> bool:
    try:
        S3Store("bucket", config={name: "true"})  # type: ignore[arg-type]  # a TypedDict, asked for its keys
    except UnknownConfigurationKeyError:
        return False
    except _FAULTS:  # it is, and wants another value
        pass
    return True
