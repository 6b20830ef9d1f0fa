"""The pages for people: downloads at /, GraphiQL at /graphql, and the files of both under /assets.

They are built from ``web/ui`` into a folder there. Until that is done, those in ``web/plain`` stand in: the same names,
no build. Nothing on a page comes from elsewhere, and nothing could: Content-Security-Policy, w3.org/TR/CSP3.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

logger = logging.getLogger(__name__)

BUILT = Path(__file__).with_name("ui") / "dist"
PLAIN = Path(__file__).with_name("plain")

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".ttf": "font/ttf"}

_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_HASHED = re.compile(r".+-[A-Za-z0-9_-]{8}\.[a-z]+")
_FOREVER = "public, max-age=31536000, immutable"  # another content has another name
_LOOK_AGAIN = "no-cache"


class Pages:
    """The built pages, else the plain ones.

    They may load media from, and connect to, ``public_url`` as well; and load media from ``media_url``, where an
    object store answers instead of this service.
    """

    def __init__(self, public_url: str, media_url: str | None = None, *, built: Path = BUILT) -> None:
        self._folder = built if (built / ".built").is_file() else PLAIN
        if self._folder is PLAIN:
            logger.warning("The pages are not built, plain ones stand in: make ui")
        public = _origin(public_url)
        media = f"{public} {_origin(media_url)}" if media_url else public
        policy = {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "font-src": "'self'",
            "img-src": f"'self' data: {media}",
            "media-src": f"'self' blob: {media}",  # blob: is what a page itself feeds a video with
            "connect-src": f"'self' {media} {public.replace('http', 'ws', 1)}",
            "worker-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        # GraphiQL's editor writes style elements, and its fonts are in its style sheet.
        editor = {"style-src": "'self' 'unsafe-inline'", "font-src": "'self' data:"}
        self._policy, self._editor_policy = _directives(policy), _directives(policy | editor)

    def graphiql(self, _: Request) -> Response:
        """GraphiQL."""
        return self._page("graphiql.html", self._editor_policy)

    def router(self) -> APIRouter:
        """GET and HEAD / and /assets/…; GraphiQL shares its path with the API."""
        router = APIRouter(include_in_schema=False)

        @router.head("/")
        @router.get("/")
        async def downloads() -> Response:
            return self._page("index.html", self._policy)

        @router.head("/assets/{name}")
        @router.get("/assets/{name}")
        def asset(request: Request, name: str) -> Response:
            path = self._folder / "assets" / name
            if not _FILE.fullmatch(name) or path.suffix not in TYPES or not path.is_file():
                raise HTTPException(404)
            return self._asset(path, compressed="gzip" in request.headers.get("accept-encoding", ""))

        return router

    def _page(self, name: str, policy: str) -> Response:
        headers = {"Content-Security-Policy": policy, "Cache-Control": _LOOK_AGAIN}
        return FileResponse(self._folder / name, headers=headers, media_type="text/html")

    def _asset(self, path: Path, *, compressed: bool) -> Response:
        caching = _FOREVER if _HASHED.fullmatch(path.name) else _LOOK_AGAIN
        headers = {"Content-Security-Policy": self._policy, "Cache-Control": caching, "Vary": "Accept-Encoding"}
        sent, smaller = path, path.with_name(f"{path.name}.gz")
        if compressed and smaller.is_file():
            sent, headers["Content-Encoding"] = smaller, "gzip"
        return FileResponse(sent, headers=headers, media_type=TYPES[path.suffix])


def _origin(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


def _directives(policy: dict[str, str]) -> str:
    return "; ".join(f"{name} {sources}" for name, sources in policy.items())
