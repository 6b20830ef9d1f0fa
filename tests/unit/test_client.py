"""The client against a real origin: what reaches the sink, and what is a failure."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import TransferError
from domain.values import FailureType
from downloader.request import Request
from downloader.response import HTTPStatusError
from tests import origin_faults as faults
from tests.fetching import Asked, failure, fetch, local, raw, run, told
from tests.origin import Listener, Origin
from tests.origin_faults import Fault

BODY = bytes(range(256)) * 1_024  # 256 KiB

NETWORK, TIMEOUT = FailureType.NETWORK_ERROR, FailureType.TIMEOUT
INVALID, PERMISSION = FailureType.INVALID_CONTENT, FailureType.PERMISSION_ERROR
IGNORED = "range ignored: the origin sends the whole"
WRONG = "wrong range: not the bytes that were asked for"


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        running.put("/a.ts", BODY, etag='"one"')
        yield running


class TestWhole:
    """A GET of everything."""

    def test_body_and_head(self, origin: Origin) -> None:
        response, body = fetch(local(origin.port), Request(origin.url("/a.ts?token=secret")))

        assert body == BODY
        assert (response.status, response.received, response.size) == (200, len(BODY), len(BODY))
        assert response.headers["etag"] == '"one"'
        assert response.url == origin.url("/a.ts?token=secret")

    def test_chunked_and_empty_bodies(self, origin: Origin) -> None:
        origin.put("/chunked.ts", BODY, chunked=True)
        origin.put("/empty.ts", b"")

        response, body = fetch(local(origin.port), Request(origin.url("/chunked.ts")))
        assert (body, response.size) == (BODY, None)
        assert fetch(local(origin.port), Request(origin.url("/empty.ts")))[1] == b""

    def test_interim_answers_and_bodies_without_length(self) -> None:
        interim = b"HTTP/1.1 103 Early Hints\r\nContent-Encoding: gzip\r\n\r\n"

        assert raw(interim + b"HTTP/1.1 200 OK\r\n\r\nbody") == b"body"

    def test_asks_for_bytes_as_they_are(self, origin: Origin) -> None:
        fetch(local(origin.port), Request(origin.url("/a.ts")))

        assert origin.log[0].headers == {
            "host": origin.host_port,
            "accept": "*/*",
            "user-agent": "Mozilla/5.0 (compatible; media-download/1.0)",
            "accept-encoding": "identity",
        }

    def test_sends_the_callers_headers_but_not_over_its_own(self, origin: Origin) -> None:
        own = (("Range", "bytes=0-1"), ("Host", "b"), ("Accept-Encoding", "gzip"))
        headers = (("User-Agent", "Player/1"), ("Cookie", "a=ü"), ("X-Empty", ""), *own)

        _, body = fetch(local(origin.port), Request(origin.url("/a.ts"), headers))

        sent = origin.log[0].headers
        assert body == BODY
        assert (sent["user-agent"], sent["x-empty"]) == ("Player/1", "")
        assert (sent["host"], sent["accept-encoding"]) == (origin.host_port, "identity")
        assert sent["cookie"].encode("latin-1").decode() == "a=ü"

    @pytest.mark.parametrize("value", ["b\r\nHost: c", "b\x00", "\ud800"])
    def test_refuses_a_header_that_cannot_be_sent(self, origin: Origin, value: str) -> None:
        error = failure(local(origin.port), Request(origin.url("/a.ts"), (("X-A", value),)))

        assert told(error) == (INVALID, "request header: it holds a control character", False)
        assert origin.log == []

    def test_sends_escapes_as_they_are_and_escapes_the_rest(self, origin: Origin) -> None:
        origin.put("/a/../%C3%BC%20b%2f.ts", b"x")

        assert fetch(local(origin.port), Request(origin.url("/a/../ü b%2f.ts?c=%zz d")))[1] == b"x"
        assert origin.log[0].query == "c=%zz%20d"

    def test_knows_no_proxy(self, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
        with Listener() as proxy:
            for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://{proxy.host_port}")

            assert fetch(local(origin.port), Request(origin.url("/a.ts")))[1] == BODY
            assert proxy.accepted == 0

    def test_shows_no_secret(self, origin: Origin) -> None:
        request = Request(origin.url("/a.ts?token=secret"), (("Cookie", "secret"),), offset=1)
        response, _ = fetch(local(origin.port), request)

        assert repr(request) == f"Request('{origin.url('/a.ts')}', offset=1, length=None)"
        assert repr(response) == f"Response(206, '{origin.url('/a.ts')}', received=262143)"


class TestRange:
    """A GET of some bytes."""

    def test_the_very_bytes(self, origin: Origin) -> None:
        part = Request(origin.url("/a.ts"), offset=100, length=1_000)
        rest = Request(origin.url("/a.ts"), offset=262_000)

        response, body = fetch(local(origin.port), part)
        assert body == BODY[100:1_100]
        assert (response.status, response.received, response.size) == (206, 1_000, len(BODY))
        assert fetch(local(origin.port), rest)[1] == BODY[262_000:]
        assert [hit.range for hit in origin.log] == ["bytes=100-1099", "bytes=262000-"]

    @pytest.mark.parametrize(
        ("fault", "asked", "message"),
        [
            (faults.range_ignored(), Asked(offset=0, length=10), IGNORED),
            (faults.wrong_range(), Asked(offset=0, length=10), WRONG),
            (faults.wrong_range(), Asked(offset=0), WRONG),
            (None, Asked(offset=262_000, length=200), WRONG),
            (faults.status(206, body=b"x"), Asked(), WRONG),
            (faults.status(206, body=b"x"), Asked(offset=0), WRONG),
            (None, Asked(offset=300_000), "HTTP 416"),
        ],
    )
    def test_other_bytes(self, origin: Origin, fault: Fault | None, asked: Asked, message: str) -> None:
        if fault:
            origin.fail("/a.ts", fault)
        parts: list[object] = []
        request = Request(origin.url("/a.ts"), **asked)

        with pytest.raises(TransferError) as caught:
            run(local(origin.port), lambda client: client.fetch(request, parts.append, parts.append))

        assert told(caught.value) == (INVALID, message, message == IGNORED)  # an error page, perhaps
        assert parts == []

    def test_a_changed_resource_is_sent_whole_to_who_accepts_it(self, origin: Origin) -> None:
        unchanged = Request(origin.url("/a.ts"), offset=9, if_range='"one"', require_range=False)
        changed = Request(origin.url("/a.ts"), offset=9, if_range='"zero"', require_range=False)

        assert fetch(local(origin.port), unchanged)[1] == BODY[9:]
        response, body = fetch(local(origin.port), changed)
        assert (response.status, body) == (200, BODY)

    def test_a_chunked_part_is_whole_and_no_more(self) -> None:
        head = b"HTTP/1.1 206 x\r\nTransfer-Encoding: chunked\r\nContent-Range: bytes 0-9/20\r\n\r\n"
        ten = Asked(offset=0, length=10)

        assert raw(head + b"a\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n", **ten) == b"0123456789"
        assert raw(head + b"8\r\n01234567\r\n0\r\n\r\n", **ten) == "truncated: 8 of 10 bytes"
        more = "wrong range: more bytes than were asked for"
        assert raw(head + b"b\r\n0123456789a\r\n0\r\n\r\n", **ten) == more


class TestRefusedAnswers:
    """Answers that bring no media, or too much."""

    @pytest.mark.parametrize(
        ("code", "failure_type", "retry"),
        [
            (204, INVALID, False),
            (304, NETWORK, False),
            (400, NETWORK, False),
            (401, PERMISSION, False),
            (403, PERMISSION, False),
            (404, NETWORK, True),
            (408, NETWORK, True),
            (410, NETWORK, False),
            (429, NETWORK, True),
            (500, NETWORK, True),
            (503, NETWORK, True),
        ],
    )
    def test_status(self, origin: Origin, code: int, failure_type: FailureType, retry: bool) -> None:
        origin.fail("/a.ts", faults.status(code))

        error = failure(local(origin.port), origin.url("/a.ts"))

        assert told(error) == (failure_type, f"HTTP {code}", retry)
        assert isinstance(error, HTTPStatusError)
        assert (error.status, error.retry_after) == (code, None)

    def test_retry_after(self, origin: Origin) -> None:
        soon = datetime.now(UTC) + timedelta(seconds=90)
        past = datetime.now(UTC) - timedelta(days=1)
        never = faults.status(429, {"Retry-After": "never"})
        for fault in (faults.retry_after(7), faults.retry_after(soon, 503), faults.retry_after(past), never):
            origin.fail("/a.ts", fault, times=1)

        waits = [failure(local(origin.port), origin.url("/a.ts")).retry_after for _ in range(4)]

        assert waits[0] == 7
        assert waits[1] is not None
        assert 80 < waits[1] <= 90
        assert waits[2:] == [0, None]

    def test_compressed(self, origin: Origin) -> None:
        origin.fail("/a.ts", faults.gzip_bomb(inflated=1_000_000))

        error = failure(local(origin.port), origin.url("/a.ts"))

        message = "encoded: the origin compresses what it was asked to send as it is"
        assert told(error) == (INVALID, message, False)

    def test_too_large(self, origin: Origin) -> None:
        request = Request(origin.url("/a.ts"), max_bytes=len(BODY) - 1)

        error = failure(local(origin.port), request)

        assert told(error) == (INVALID, "too large: over 262143 bytes", False)
        exact = Request(origin.url("/a.ts"), max_bytes=len(BODY))
        assert fetch(local(origin.port), exact)[1] == BODY

    def test_endless(self, origin: Origin) -> None:
        origin.fail("/a.ts", faults.endless())
        body = bytearray()
        request = Request(origin.url("/a.ts"), max_bytes=300_000)

        with pytest.raises(TransferError, match=r"^too large: over 300000 bytes$"):
            run(local(origin.port), lambda client: client.fetch(request, body.extend))

        assert 0 < len(body) <= 300_000

    def test_a_long_error_page_is_not_read(self, origin: Origin) -> None:
        origin.fail("/a.ts", faults.status(500, body=bytes(20_000_000)))

        assert failure(local(origin.port), origin.url("/a.ts")).message == "HTTP 500"
        assert origin.log[0].bytes_sent < 20_000_000

    def test_not_http(self) -> None:
        assert raw(b"SSH-2.0-OpenSSH_9.2\r\n") == "not HTTP: the answer cannot be read"
        assert raw(b"") == "connection reset: closed without an answer"


class TestBrokenTransfers:
    """Answers that never come, or not whole."""

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            (faults.truncated(1_000), (INVALID, "truncated: the body ended early", True)),
            (faults.chunked_truncated(1_000), (INVALID, "truncated: the body ended early", True)),
            (faults.reset(), (NETWORK, "connection reset", True)),
            (faults.reset(100_000), (NETWORK, "connection reset", True)),
            (faults.stall(), (TIMEOUT, "timeout: no byte for 0.5 s", True)),
            (faults.stall(100_000), (TIMEOUT, "timeout: no byte for 0.5 s", True)),
        ],
    )
    def test_fails(self, origin: Origin, fault: Fault, expected: tuple[FailureType, str, bool]) -> None:
        origin.fail("/a.ts", fault)

        assert told(failure(local(origin.port), origin.url("/a.ts"), timeout=0.5)) == expected

    def test_a_slow_body_is_no_stall(self, origin: Origin) -> None:
        origin.put("/slow.ts", b"01234")
        origin.fail("/slow.ts", faults.drip(rate=4))

        assert fetch(local(origin.port), Request(origin.url("/slow.ts")), timeout=0.5)[1] == b"01234"

    def test_connection_refused(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]

        error = failure(local(port), f"http://127.0.0.1:{port}/")

        assert told(error) == (NETWORK, "connection refused", True)

    def test_no_connection(self) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as busy:
            port = busy.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                error = failure(local(port), f"http://127.0.0.1:{port}/", timeout=0.5)

        assert told(error) == (TIMEOUT, "timeout: no connection for 0.5 s", True)
