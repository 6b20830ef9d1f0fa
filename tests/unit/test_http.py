"""httpx over the client: whole documents, bounded, without cookies and without URLs in the log."""

import logging
from collections.abc import Iterator

import pytest

from domain.errors import TransferError
from domain.values import FailureType
from downloader.client import Client
from downloader.http import Document, http_client, read
from tests import origin_faults as faults
from tests.fetching import local, run, told
from tests.origin import Origin

PLAYLIST = b"#EXTM3U\n"


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        running.put("/a.m3u8", PLAYLIST, headers={"Set-Cookie": "user=1", "X-Title": "ü"})
        yield running


def documents(origin: Origin, *urls: str, headers: tuple[tuple[str, str], ...] = ()) -> list[Document]:
    """Read these URLs, one after the other, with one client and at most 100 bytes each."""

    async def scenario(client: Client) -> list[Document]:
        async with http_client(client) as http:
            return [await read(http, url, headers, 100) for url in urls]

    return run(local(origin.port), scenario)


def test_a_document_knows_where_it_came_from(origin: Origin) -> None:
    origin.fail("/0", faults.redirect("/a.m3u8?token=secret"))

    (document,) = documents(origin, origin.url("/0"))

    assert (document.body, document.url) == (PLAYLIST, origin.url("/a.m3u8?token=secret"))
    assert document.content_type == "application/vnd.apple.mpegurl"
    assert repr(document) == f"Document(8 bytes, '{origin.url('/a.m3u8')}', 'application/vnd.apple.mpegurl')"


def test_sends_the_clients_headers_and_the_tasks(origin: Origin) -> None:
    documents(origin, origin.url("/a.m3u8"), headers=(("X-Key", "ü"),))

    sent = dict(origin.log[0].headers)
    assert sent.pop("x-key").encode("latin-1").decode() == "ü"
    assert sent == {
        "host": origin.host_port,
        "accept": "*/*",
        "user-agent": "Mozilla/5.0 (compatible; media-download/1.0)",
        "accept-encoding": "identity",
    }


def test_keeps_no_cookies(origin: Origin) -> None:
    documents(origin, origin.url("/a.m3u8"), origin.url("/a.m3u8"))

    assert ["cookie" in hit.headers for hit in origin.log] == [False, False]


def test_is_bounded(origin: Origin) -> None:
    origin.put("/long.m3u8", PLAYLIST.ljust(101), chunked=True)

    with pytest.raises(TransferError) as caught:
        documents(origin, origin.url("/long.m3u8"))

    assert told(caught.value) == (FailureType.INVALID_CONTENT, "too large: over 100 bytes", False)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://a\x00b/", "http://xn--/", "no url", "file:///etc/passwd"]
)
def test_is_guarded(origin: Origin, url: str) -> None:
    with pytest.raises(TransferError) as caught:
        documents(origin, url)

    message = "blocked: not a public http or https address"
    assert told(caught.value) == (FailureType.PERMISSION_ERROR, message, False)


def test_logs_no_url(origin: Origin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    documents(origin, origin.url("/a.m3u8?token=secret"))

    assert "secret" not in caplog.text
