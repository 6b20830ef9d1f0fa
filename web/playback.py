"""GET and HEAD /media/…: stored media by signed link, with ranges (RFC 9110, 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from domain.errors import StorageError
from domain.media_types import MEDIA_TYPES, is_whole, media_type
from domain.ports import Storage
from web.joined import joined
from web.links import Links

THREADS = 32
LONGEST_NAME = 255  # bytes, of ours also characters

# What plays. The playlists as fetched and the companions beside them are not shown: they hold the origin's URLs.
_SHOWN = re.compile(
    r"video_[0-9a-f-]{36}/(?:"
    r"hls/(?:video_[\w.-]+_local_[\w.-]+\.m3u8|(?:ts|audio_\d+|subtitles_\d+)(?:\.m3u8|/\w[\w.-]*)|init_[\w.-]+\.mp4)"
    r"|mp4/\w[\w.-]*\.mp4|image/\w[\w.-]*)",
    re.ASCII,  # as we name them: an object store does not answer for some other characters
)
_RANGE = re.compile(r"([0-9]{0,18})-([0-9]{0,18})")
_FOREVER = "private, max-age=86400, immutable"  # a stored piece never changes
_GROWING = "private, no-cache"
# Media is hostile input: whatever a browser takes it for, it runs nothing.
_SAFE = {"Content-Security-Policy": "default-src 'none'; sandbox", "Cross-Origin-Resource-Policy": "cross-origin"}


def playback_router(storage: Storage, links: Links) -> APIRouter:
    """The route of signed links."""
    router = APIRouter(tags=["playback"])
    # Threads of their own: an object store that does not answer must not keep those of the operations.
    threads = CapacityLimiter(THREADS)
    answer = _from_elsewhere if storage.is_remote else _from_here

    @router.head("/media/{token}/{key:path}", include_in_schema=False)
    @router.get(
        "/media/{token}/{key:path}",
        summary="Stored media, by a signed link",
        response_class=Response,
        responses={206: {}, 304: {}, 307: {}, 403: {}, 404: {}, 416: {}, 503: {}},
    )
    async def media(request: Request, token: str, key: str) -> Response:
        seconds = links.opens(token, key)
        if not seconds:
            return _refusal(403, "This link is not valid, or has expired: ask for a new one.")
        if not _SHOWN.fullmatch(key) or any(len(part) > LONGEST_NAME for part in key.split("/")):
            return _refusal(404, "There is no such file.")
        try:
            if _is_playlist(key) and "download" in request.query_params:
                whole = await to_thread.run_sync(joined, storage, key, _SAFE, threads, limiter=threads)
                if whole is not None:
                    return whole
            return await to_thread.run_sync(answer, storage, request, key, seconds, limiter=threads)
        except FileNotFoundError:
            return _refusal(404, "There is no such file.")
        except (StorageError, OSError):
            return _refusal(503, "The storage does not answer: try again soon.", {"Retry-After": "5"})

    return router


def _from_here(storage: Storage, request: Request, key: str, _: int) -> Response:
    """Raises OSError."""
    path = storage.path(key)
    if path is None:
        raise FileNotFoundError
    return _playlist(request, path.read_bytes()) if _is_playlist(key) else _file(request, path)


def _from_elsewhere(storage: Storage, request: Request, key: str, seconds: int) -> Response:
    """A playlist comes from us, so that its lines lead to us again; the rest from the object store.

    Of a piece nobody asks whether it is there: whoever names it has that from a playlist of ours. What we sign
    lasts as long as the link, since players go on asking for ranges of a film without coming back here.
    Raises StorageError, FileNotFoundError.
    """
    if _is_playlist(key):
        body = storage.read(key)
        if body is None:
            raise FileNotFoundError
        return _playlist(request, body)
    if is_whole(key) and storage.size(key) is None:
        raise FileNotFoundError
    method: Literal["GET", "HEAD"] = "HEAD" if request.method == "HEAD" else "GET"
    url = storage.url(key, seconds, method, download="download" in request.query_params)
    return RedirectResponse(url or "", 307, {"Cache-Control": "private, no-store", **_SAFE})


def _is_playlist(key: str) -> bool:
    return key.endswith(".m3u8")


def _refusal(status: int, message: str, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    return JSONResponse({"errors": [{"message": message}]}, status, {"Cache-Control": "no-store", **headers})


class _File(FileResponse):
    """Takes a Range that says nothing for none (RFC 9110, 14.2); Starlette's answer would be 400."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if not _ranges(Headers(scope=scope)):
            scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"range"]}
        await super().__call__(scope, receive, send)


def _ranges(headers: Headers) -> list[tuple[str, str]]:
    """First and last byte of each, as written, of which one may be empty; none if they are not valid."""
    unit, _, asked = headers.get("range", "").partition("=")
    found = [_RANGE.fullmatch(each.strip()) for each in asked.split(",")]
    ranges = [(each[1], each[2]) for each in found if each and (each[1] or each[2])]
    valid = unit.strip().lower() == "bytes" and len(ranges) == len(found)
    return ranges if valid and all(int(first) <= int(last) for first, last in ranges if first and last) else []


def _file(request: Request, path: Path) -> Response:
    response = _File(
        path,
        headers={"Cache-Control": _FOREVER, **_SAFE},
        media_type=media_type(path.name),
        filename=path.name if is_whole(path.name) else None,
        stat_result=path.stat(),
        content_disposition_type="attachment" if "download" in request.query_params else "inline",
    )
    return _unchanged(request, response) or response


def _playlist(request: Request, body: bytes) -> Response:
    """Whole, as it was at one moment: while a stream is recorded, the file is replaced again and again."""
    etag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"Cache-Control": _GROWING, "ETag": etag, "Accept-Ranges": "bytes", **_SAFE}
    response = Response(body, 200, headers, MEDIA_TYPES[".m3u8"])
    return _unchanged(request, response) or _part(request, response) or response


def _unchanged(request: Request, response: Response) -> Response | None:
    asked = request.headers.get("if-none-match", "")
    known = {each.strip().removeprefix("W/") for each in asked.split(",")}
    if response.headers["etag"] not in known and asked.strip() != "*":
        return None
    kept = {name: response.headers[name] for name in ("etag", "cache-control")}
    return Response(status_code=304, headers=kept)


def _part(request: Request, response: Response) -> Response | None:
    """The answer to a single range; several at once may be ignored (RFC 9110, 14.2)."""
    asked, if_range = _ranges(request.headers), request.headers.get("if-range")
    if len(asked) != 1 or if_range not in {None, response.headers["etag"]}:
        return None
    body = bytes(response.body)
    (first, last), size = asked[0], len(body)
    start, end = (int(first), min(int(last or size) + 1, size)) if first else (max(0, size - int(last)), size)
    if start >= end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(body)}"})
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    kept["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
    return Response(body[start:end], 206, kept)
