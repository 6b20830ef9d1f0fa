"""The pages and their files: types, caching, compression, and a policy that lets nothing in from elsewhere."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from web.pages import PLAIN, Pages

SCRIPT = b"export const answer = 42;\n" * 100
STRICT = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "font-src": ["'self'"],
    "img-src": ["'self'", "data:", "https://media.test"],
    "media-src": ["'self'", "blob:", "https://media.test"],
    "connect-src": ["'self'", "https://media.test", "wss://media.test"],
    "worker-src": ["'self'"],
    "base-uri": ["'none'"],
    "form-action": ["'none'"],
    "frame-ancestors": ["'none'"],
}
EDITOR = {"style-src": ["'self'", "'unsafe-inline'"], "font-src": ["'self'", "data:"]}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """What a build leaves."""
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "index-Ab_-9xYz.js").write_bytes(SCRIPT)
    (assets / "index-Ab_-9xYz.js.gz").write_bytes(gzip.compress(SCRIPT))
    (assets / "font-CUoiXWAF.ttf").write_bytes(b"font")
    (assets / ".hidden.js").write_bytes(b"")
    (tmp_path / "index.html").write_text("downloads")
    (tmp_path / "graphiql.html").write_text("editor")
    (tmp_path / ".built").touch()
    return tmp_path


def _client(built: Path, media_url: str | None = None) -> httpx.AsyncClient:
    pages, app = Pages("https://media.test/below", media_url, built=built), FastAPI()
    app.include_router(pages.router())
    app.get("/graphql")(pages.graphiql)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://media.test")


@pytest.fixture
async def client(built: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with _client(built) as client:
        yield client


def _policy(header: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (each.split() for each in header.split(";"))}


async def test_a_page_allows_nothing_but_its_own(client: httpx.AsyncClient) -> None:
    downloads, graphiql = await client.get("/"), await client.get("/graphql")
    assert (downloads.text, graphiql.text) == ("downloads", "editor")
    assert _policy(downloads.headers["content-security-policy"]) == STRICT
    assert _policy(graphiql.headers["content-security-policy"]) == STRICT | EDITOR
    for page in (downloads, graphiql):
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-cache"


async def test_media_may_come_from_an_object_store(built: Path) -> None:
    async with _client(built, "https://bucket.s3.test/video/x.mp4?X-Amz-Signature=secret") as client:
        policy = _policy((await client.get("/")).headers["content-security-policy"])
    store = ["https://bucket.s3.test"]
    also = {name: STRICT[name] + store for name in ("img-src", "media-src")}
    assert policy == STRICT | also | {"connect-src": ["'self'", "https://media.test", *store, "wss://media.test"]}


async def test_a_file_is_kept_for_ever(client: httpx.AsyncClient) -> None:
    script = await client.get("/assets/index-Ab_-9xYz.js", headers={"Accept-Encoding": "identity"})
    assert (script.status_code, script.content) == (200, SCRIPT)
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in script.headers
    font = await client.head("/assets/font-CUoiXWAF.ttf")
    assert font.headers["content-type"] == "font/ttf"


async def test_a_file_is_sent_compressed_to_who_takes_that(client: httpx.AsyncClient) -> None:
    script = await client.get("/assets/index-Ab_-9xYz.js", headers={"Accept-Encoding": "br, gzip"})
    assert script.headers["content-encoding"] == "gzip"
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert int(script.headers["content-length"]) < len(SCRIPT) / 10
    assert script.content == SCRIPT


@pytest.mark.parametrize(
    "name",
    [
        "missing.js",
        "index-Ab_-9xYz.js.gz",
        ".hidden.js",
        "..%2f.built",
        "..%2findex.html",
        "%2e%2e%2findex.html",
        "..%5cindex.html",
        "a%00.js",
        pytest.param("x" * 5000 + ".js", id="longer than a file name may be"),
        "",
    ],
)
async def test_nothing_else_is_shown(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/assets/{name}")).status_code == 404


@pytest.mark.parametrize("path", ["/", "/graphql"])
async def test_plain_pages_stand_in_until_a_build_is_whole(built: Path, path: str) -> None:
    (built / ".built").unlink()
    async with _client(built) as client:
        page = await client.get(path)
        assert page.status_code == 200
        assert "make ui" in page.text
        for name in ("plain.css", "plain.svg", "plain.js"):
            file = await client.get(f"/assets/{name}")
            assert file.content == (PLAIN / "assets" / name).read_bytes()
            assert file.headers["cache-control"] == "no-cache"


def test_plain_pages_load_nothing_from_elsewhere() -> None:
    for file in PLAIN.rglob("*.*"):
        urls = [word for word in file.read_text().split() if "//" in word and not word.startswith("//")]
        assert [url for url in urls if "www.w3.org/2000/svg" not in url] == []
