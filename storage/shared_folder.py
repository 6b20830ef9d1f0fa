"""A folder that several machines mount, and the proof that it is the same one everywhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from domain.errors import DatabaseError, StorageError
from storage.local import LocalStorage

logger = logging.getLogger(__name__)

MARK = ".mark"  # of the storage: who sees another one, or none, has another folder


class SharedFolder(LocalStorage):
    """A mark lies in the folder, and is known to all machines. A share that is not mounted has none.

    ``agree`` takes a mark and gives the one that counts: the first that was ever given to it.
    """

    def __init__(self, root: Path, min_free_bytes: int, agree: Callable[[str], str]) -> None:
        super().__init__(root, min_free_bytes)
        self._agree = agree
        self._agreed: str | None = None

    def require(self) -> None:
        """Make sure that the folder is the one of all. Raises StorageError."""
        if not self.answers():
            raise StorageError("it takes no file, or is not the folder that the other machines share: is it mounted?")

    def answers(self) -> bool:
        return super().answers() and self._is_the_shared_one()

    def _is_the_shared_one(self) -> bool:
        try:
            found = self._mark()
            if self._agreed is None:
                offered = found or uuid4().hex
                self._agreed = self._agree(offered)
                if found is None and self._agreed == offered:  # the first machine ever
                    self._write_mark(offered)
                    found = offered
        except OSError:
            logger.warning("The mark of the storage cannot be read", exc_info=True)
            return False
        except DatabaseError:  # another part, which is told by itself
            return True
        if found != self._agreed:
            logger.warning("STORAGE_URL is not the folder that the other machines share: its mark is another, or none")
        return found == self._agreed

    def _mark(self) -> str | None:
        with suppress(FileNotFoundError):
            return (self._root / MARK).read_text().strip()
        return None

    def _write_mark(self, mark: str) -> None:
        new = self._root / f"{MARK}.{mark}"
        new.write_text(f"{mark}\n")
        new.replace(self._root / MARK)
