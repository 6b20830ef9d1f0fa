"""The client's connections: where redirects may lead, how many there are, and how they end."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from domain.errors import TransferError
from domain.values import FailureType
from downloader.client import Client
from downloader.request import Request, headers_for
from downloader.response import Response
from tests import origin_faults as faults
from tests.fetching import failure, fetch, get, local, run, told
from tests.origin import Listener, Origin

BODY = bytes(range(256)) * 1_024  # 256 KiB


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        running.put("/a.ts", BODY)
        yield running


class TestRedirects:
    """Redirects, hop by hop."""

    def test_five_are_followed(self, origin: Origin) -> None:
        for hop, code in enumerate((301, 302, 303, 307, 308)):
            origin.fail(f"/{hop}", faults.redirect(f"{hop + 1}?hop={hop}", code))
        origin.put("/5", b"there")

        response, body = fetch(local(origin.port), Request(origin.url("/0")))

        assert (body, response.url) == (b"there", origin.url("/5?hop=4"))
        assert origin.connections == 1

    def test_a_sixth_is_not(self, origin: Origin) -> None:
        origin.fail("/a.ts", faults.redirect_loop())

        error = failure(local(origin.port), origin.url("/a.ts"))

        assert told(error) == (FailureType.NETWORK_ERROR, "too many redirects", False)
        assert origin.hits("/a.ts") == 6

    def test_a_range_goes_along(self, origin: Origin) -> None:
        origin.fail("/0", faults.redirect("/a.ts"))

        response, body = fetch(local(origin.port), Request(origin.url("/0"), offset=5, length=5))

        assert (response.status, body) == (206, BODY[5:10])

    def test_secrets_stay_with_their_origin(self, origin: Origin) -> None:
        secrets = {"authorization": "Bearer t", "cookie": "a=b", "x-key": "k"}
        harmless = {"user-agent": "Player/1", "referer": "http://x/"}
        headers = (*harmless.items(), *secrets.items())
        with Origin() as other:
            origin.fail("/0", faults.redirect("/1"))
            origin.fail("/1", faults.redirect(other.url("/2")))
            other.fail("/2", faults.redirect(origin.url("/a.ts")))

            _, body = fetch(local(origin.port, other.port), Request(origin.url("/0"), headers))

            assert body == BODY
            first, second, back = (hit.headers for hit in origin.log)
            for sent in (first, second):
                assert secrets.items() <= sent.items()
            for sent in (other.log[0].headers, back):
                assert harmless.items() <= sent.items()
                assert not secrets.keys() & sent.keys()

    @pytest.mark.parametrize("url", ["http://a.test/", "https://b.test/", "https://a.test:8443/", "https://["])
    def test_another_scheme_host_or_port_gets_no_cookie(self, url: str) -> None:
        headers = (("User-Agent", "Player/1"), ("Cookie", "a=b"))

        assert headers_for("https://A.test:443/b", "https://a.test/a", headers) == headers
        assert headers_for(url, "https://a.test/a", headers) == headers[:1]

    @pytest.mark.parametrize(
        "location",
        [
            "http://127.1:{port}/",
            "//localhost:{port}/",
            "http://[::ffff:127.0.0.1]:{port}/",
            "http://[::1:{port}/",
            "http://user@127.0.0.1:{port}/",
            "file:///etc/passwd",
        ],
    )
    def test_inside_is_never_dialled(self, origin: Origin, location: str) -> None:
        with Listener() as inside:
            origin.fail("/a.ts", faults.redirect(location.format(port=inside.port)))

            error = failure(local(origin.port), origin.url("/a.ts"))

            message = "blocked: not a public http or https address"
            assert told(error) == (FailureType.PERMISSION_ERROR, message, False)
            assert inside.accepted == 0


class TestCallbacks:
    """What the caller hands in."""

    def test_the_head_comes_first_and_once(self, origin: Origin) -> None:
        origin.fail("/0", faults.redirect("/a.ts"))
        heads: list[Response] = []
        parts: list[int] = []

        def sink(part: memoryview) -> None:
            assert len(heads) == 1
            parts.append(len(part))

        run(local(origin.port), lambda client: client.fetch(Request(origin.url("/0")), sink, heads.append))

        assert [(head.status, head.received, head.url) for head in heads] == [(200, 0, origin.url("/a.ts"))]
        assert sum(parts) == len(BODY)
        assert max(parts) <= 65_536

    def test_what_the_sink_raises_is_raised(self, origin: Origin, capfd: pytest.CaptureFixture[str]) -> None:
        full = OSError(28, "No space left on device")

        def sink(_: memoryview) -> None:
            raise full

        async def scenario(client: Client) -> bytes:
            with pytest.raises(OSError, match="No space left") as caught:
                await client.fetch(Request(origin.url("/a.ts")), sink)
            assert caught.value is full
            return await get(client, origin.url("/a.ts"))

        assert run(local(origin.port), scenario) == BODY
        assert capfd.readouterr() == ("", "")

    def test_what_on_response_raises_is_raised(self, origin: Origin) -> None:
        parts: list[object] = []

        def changed(_: Response) -> None:
            raise KeyError("etag")

        with pytest.raises(KeyError):
            run(local(origin.port), lambda it: it.fetch(Request(origin.url("/a.ts")), parts.append, changed))

        assert parts == []


class TestConnections:
    """Connections over their whole life."""

    def test_are_kept_also_after_errors(self, origin: Origin) -> None:
        async def scenario(client: Client) -> None:
            for _ in range(5):
                assert await get(client, origin.url("/a.ts")) == BODY
                with pytest.raises(TransferError, match=r"^HTTP 404$"):
                    await get(client, origin.url("/absent.ts"))

        run(local(origin.port), scenario)

        assert origin.connections == 1

    @pytest.mark.parametrize(("per_host", "in_all"), [(2, 256), (32, 2)])
    def test_waiting_for_one_is_no_stall(self, per_host: int, in_all: int) -> None:
        with Origin(latency=0.2) as slow:
            slow.put("/a.ts", BODY)

            async def scenario(client: Client) -> list[bytes]:
                return await asyncio.gather(*(get(client, slow.url(f"/a.ts?{n}")) for n in range(8)))

            bodies = run(
                local(slow.port),
                scenario,
                timeout=0.5,
                max_connections=in_all,
                max_connections_per_host=per_host,
            )

            assert bodies == [BODY] * 8
            assert (slow.connections, slow.max_concurrent) == (2, 2)
            served = [int(hit.query) for hit in slow.log]
            assert all(abs(place - turn) <= 1 for turn, place in enumerate(served))  # first come, first served

    def test_cancelling_ends_the_transfer_at_once(self, origin: Origin) -> None:
        gate = origin.hold("/a.ts", after=1_000)
        body = bytearray()

        async def scenario(client: Client) -> bytes:
            running = asyncio.create_task(client.fetch(Request(origin.url("/a.ts")), body.extend))
            await asyncio.to_thread(gate.wait_until_held)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await asyncio.to_thread(origin.wait_for_hits, lambda hit: hit.ended is not None)
            gate.release()
            return await get(client, origin.url("/a.ts"))

        assert run(local(origin.port), scenario) == BODY
        assert len(body) <= 1_000
        assert origin.connections == 2

    def test_closing_leaves_no_descriptor(self) -> None:
        descriptors = Path("/proc/self/fd")
        before = len(list(descriptors.iterdir()))
        with Origin() as origin:
            origin.put("/a.ts", BODY)

            async def scenario(client: Client) -> list[bytes]:
                return await asyncio.gather(*(get(client, origin.url("/a.ts")) for _ in range(10)))

            assert run(local(origin.port), scenario) == [BODY] * 10
            assert origin.connections == 10

        assert len(list(descriptors.iterdir())) == before


class TestTLS:
    """Certificates."""

    def test_only_a_trusted_certificate(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        certificate = self_signed(tmp_path / "certificate.pem")

        assert over_tls(certificate) == "TLS: the certificate is not trusted"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert over_tls(certificate) == b"over TLS"


def over_tls(certificate: Path) -> bytes | str:
    """Fetch from a server with this certificate: the body, or the failure's message."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nover TLS")
        writer.close()

    async def scenario() -> bytes | str:
        async with await asyncio.start_server(say, "127.0.0.1", 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            client = Client(local(port))
            try:
                return await get(client, f"https://127.0.0.1:{port}/")
            except TransferError as error:
                return error.message
            finally:
                await client.aclose()

    return asyncio.run(scenario())


def self_signed(path: Path) -> Path:
    """Write a certificate for 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "origin")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    for extension in (
        x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
        x509.BasicConstraints(ca=True, path_length=None),
    ):
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    path.write_bytes(certificate + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
