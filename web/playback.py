"""GET and HEAD /media/…: stored media by signed link, with ranges (RFC 9110, 14)."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from domain.ports import Storage
from web.links import Links

TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".aac": "audio/aac",
    ".vtt": "text/vtt",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".bmp": "image/bmp",
}

# What plays. The playlists as fetched and the companions beside them are not shown: they hold the origin's URLs.
_SHOWN = re.compile(
    r"video_[0-9a-f-]{36}/(?:"
    r"hls/(?:video_[^/]+_local_[^/]+\.m3u8|(?:ts|audio_\d+|subtitles_\d+)(?:\.m3u8|/[^/.][^/]*)|init_[^/]+\.mp4)"
    r"|mp4/[^/.][^/]*\.mp4|image/[^/.][^/]*)"
)
_ONE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_FOREVER = "private, max-age=86400, immutable"  # a stored piece never changes
_GROWING = "private, no-cache"
# Media is hostile input: whatever a browser takes it for, it runs nothing.
_SAFE = {"Content-Security-Policy": "default-src 'none'; sandbox", "Cross-Origin-Resource-Policy": "cross-origin"}


def playback_router(storage: Storage, links: Links) -> APIRouter:
    """The route of signed links."""
    router = APIRouter(tags=["playback"])

    @router.head("/media/{token}/{key:path}", include_in_schema=False)
    @router.get(
        "/media/{token}/{key:path}",
        summary="Stored media, by a signed link",
        response_class=Response,
        responses={206: {}, 304: {}, 403: {}, 404: {}, 416: {}},
    )
    def media(request: Request, token: str, key: str) -> Response:
        if not links.opens(token, key):
            return _refusal(403, "This link is not valid, or has expired: ask for a new one.")
        path = storage.path(key) if _SHOWN.fullmatch(key) else None
        if path is None:
            return _refusal(404, "There is no such file.")
        try:
            return _playlist(request, path) if path.suffix == ".m3u8" else _file(request, path)
        except OSError:
            return _refusal(404, "There is no such file.")

    return router


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"errors": [{"message": message}]}, status, {"Cache-Control": "no-store"})


def _file(request: Request, path: Path) -> Response:
    name = PurePosixPath(path).name
    whole = path.suffix not in {".ts", ".m4s", ".aac", ".vtt"} and not name.startswith("init_")
    response = FileResponse(
        path,
        headers={"Cache-Control": _FOREVER, **_SAFE},
        media_type=TYPES.get(path.suffix, "application/octet-stream"),
        filename=name if whole else None,
        stat_result=path.stat(),
        content_disposition_type="attachment" if "download" in request.query_params else "inline",
    )
    return _unchanged(request, response) or response


def _playlist(request: Request, path: Path) -> Response:
    """Read at once: while a stream is recorded, the file is replaced again and again."""
    body = path.read_bytes()
    etag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"Cache-Control": _GROWING, "ETag": etag, "Accept-Ranges": "bytes", **_SAFE}
    response = Response(body, 200, headers, TYPES[".m3u8"])
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
    asked = _ONE_RANGE.fullmatch(request.headers.get("range", ""))
    if_range = request.headers.get("if-range")
    if asked is None or not any(asked.groups()) or if_range not in {None, response.headers["etag"]}:
        return None
    body = bytes(response.body)
    if asked[1]:
        start, end = int(asked[1]), min(int(asked[2] or len(body)) + 1, len(body))
    else:
        start, end = max(0, len(body) - int(asked[2])), len(body)
    if start >= end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(body)}"})
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    kept["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
    return Response(body[start:end], 206, kept)
