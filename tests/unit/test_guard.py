"""The guard with a resolver that says what the test wants: what it lets through is what gets dialled."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from domain.addresses import check_url
from domain.errors import TransferError
from domain.values import FailureType
from downloader.client import Client
from downloader.guard import Guard, Target
from tests.fetching import failure, get, run, told
from tests.origin import Listener, Origin

BODY = b"media" * 1_000
PUBLIC = "93.184.216.34"
BLOCKED = (FailureType.PERMISSION_ERROR, "blocked: not a public http or https address", False)
NONE = frozenset[tuple[str, int]]()


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        running.put("/a.ts", BODY)
        yield running


def answer(monkeypatch: pytest.MonkeyPatch, *answers: tuple[str, ...]) -> list[str]:
    """Let the system's resolver give these addresses, a tuple a lookup, the last for ever; the names asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


async def refusal(guard: Guard, url: str) -> TransferError:
    with pytest.raises(TransferError) as caught:
        await guard.resolve(url)
    return caught.value


def test_pins_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, (PUBLIC, "2606:4700::1111", PUBLIC))

    target = asyncio.run(Guard(NONE).resolve("https://Media.test/a?b"))

    assert target == Target(check_url("https://media.test/a?b", NONE), (PUBLIC, "2606:4700::1111"))
    assert asked == ["media.test"]


def test_takes_longer_urls_than_a_user_may_type(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, (PUBLIC,))
    url = "http://media.test/".ljust(16_384, "a")

    assert asyncio.run(Guard(NONE).resolve(url)).address.url == url
    assert told(asyncio.run(refusal(Guard(NONE), f"{url}a"))) == BLOCKED


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
def test_refuses_a_name_with_one_answer_inside(monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    answer(monkeypatch, (PUBLIC, inside))

    assert told(asyncio.run(refusal(Guard(NONE), "http://media.test/"))) == BLOCKED


def test_a_name_that_rebinds_is_never_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, (PUBLIC,), ("127.0.0.1",))
    with Listener() as inside:
        url = f"http://media.test:{inside.port}/"

        async def scenario(client: Client) -> None:
            assert (await guard.resolve(url)).ips == (PUBLIC,)
            with pytest.raises(TransferError, match=r"^blocked"):
                await get(client, url)

        guard = Guard(NONE, keep=0)
        run(guard, scenario)
        assert inside.accepted == 0


def test_allows_a_name_only_with_its_port(monkeypatch: pytest.MonkeyPatch, origin: Origin) -> None:
    answer(monkeypatch, ("127.0.0.1",))
    guard = Guard(frozenset({("media.test", origin.port), ("127.0.0.1", origin.port)}))

    assert run(guard, lambda client: get(client, f"http://media.test:{origin.port}/a.ts")) == BODY
    assert origin.log[0].headers["host"] == f"media.test:{origin.port}"
    with Listener() as inside:
        assert told(failure(guard, f"http://media.test:{inside.port}/")) == BLOCKED
        assert told(failure(guard, f"http://other.test:{origin.port}/")) == BLOCKED
        assert inside.accepted == 0
    assert origin.connections == 1


def test_the_open_socket_is_checked_again(origin: Origin) -> None:
    class Careless(Guard):
        async def resolve(self, url: str) -> Target:
            return Target(check_url(url, frozenset({("127.0.0.1", origin.port)})), ("127.0.0.1",))

    assert told(failure(Careless(NONE), origin.url("/a.ts"))) == BLOCKED
    assert origin.connections == 0


def test_a_new_answer_replaces_the_pin(monkeypatch: pytest.MonkeyPatch, origin: Origin) -> None:
    answer(monkeypatch, ("127.0.0.2",), ("127.0.0.1",))
    guard = Guard(frozenset({("media.test", origin.port)}), keep=0)

    async def scenario(client: Client) -> bytes:
        url = f"http://media.test:{origin.port}/a.ts"
        with pytest.raises(TransferError, match=r"^connection refused$"):
            await get(client, url)
        return await get(client, url)

    assert run(guard, scenario) == BODY


def test_one_lookup_serves_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, (PUBLIC,))

    async def scenario() -> list[Target]:
        guard = Guard(NONE)
        gives_up = asyncio.create_task(guard.resolve("http://media.test/0"))
        await asyncio.sleep(0)
        gives_up.cancel()
        return await asyncio.gather(*(guard.resolve(f"http://media.test/{n}") for n in range(20)))

    assert [target.ips for target in asyncio.run(scenario())] == [(PUBLIC,)] * 20
    assert asked == ["media.test"]


def test_a_failed_lookup_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, (), (PUBLIC,))

    async def scenario() -> tuple[TransferError, Target]:
        guard = Guard(NONE)
        return await refusal(guard, "http://media.test/"), await guard.resolve("http://media.test/")

    error, target = asyncio.run(scenario())
    assert told(error) == (FailureType.NETWORK_ERROR, "DNS: Name or service not known", True)
    assert target.ips == (PUBLIC,)


def test_a_lookup_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: answered.wait())

    error = asyncio.run(refusal(Guard(NONE, timeout=0.05), "http://media.test/"))
    answered.set()

    assert told(error) == (FailureType.NETWORK_ERROR, "DNS: no answer within 0.05 s", True)
