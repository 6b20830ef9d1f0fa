"""Nothing that an origin says makes the service dial an address inside: a listener there would know."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import pytest

from tests import media
from tests.e2e.service import Service, User
from tests.origin import Listener, Origin
from tests.origin_faults import redirect

BLOCKED = "blocked: not a public http or https address"
TS = media.hls_vod(1).segments[0]
HEAD, END = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n", "#EXT-X-ENDLIST\n"
# Each leads to the listener, if it is read generously. The last ones name the allowed origin, spelled another way.
SPELLINGS = """
    http://127.0.0.1:{port}/a  //127.0.0.1:{port}/a  http://localhost:{port}/a  http://LOCALHOST.:{port}/a
    http://127.1:{port}/a  http://2130706433:{port}/a  http://0x7f.1:{port}/a  http://0177.0.0.1:{port}/a
    http://0.0.0.0:{port}/a  http://0:{port}/a  http://127.0.0.1.:{port}/a  http://１２７.０.０.１:{port}/a
    http://[::1]:{port6}/a  http://[0:0::1]:{port6}/a  http://[::]:{port6}/a  http://[::ffff:127.0.0.1]:{port}/a
    http://[64:ff9b::7f00:1]:{port}/a  http://user@127.0.0.1:{port}/a  http://{origin}@127.0.0.1:{port}/a
    http://{origin}\\@127.0.0.1:{port}/a  https://127.0.0.1:{port}/a  ftp://127.0.0.1:{port}/a
    gopher://127.0.0.1:{port}/a  telnet://127.0.0.1:{port}/a  file:///etc/hostname
    http://localhost:{origin_port}/0.ts  http://2130706433:{origin_port}/0.ts  http://127.0.0.1.:{origin_port}/0.ts
    http://[::ffff:127.0.0.1]:{origin_port}/0.ts
""".split()
GOOD = 75  # segments of the allowed origin beside them: enough for a partial result


@dataclass(frozen=True)
class World:
    """A service, the one origin that it may fetch from, and listeners that it may not dial."""

    service: Service
    origin: Origin
    listeners: tuple[Listener, ...]

    @property
    def inside(self) -> str:
        return f"http://{self.listeners[0].host_port}/a"

    @property
    def spellings(self) -> list[str]:
        port, port6 = self.listeners[0].port, self.listeners[-1].port
        names = {"port": port, "port6": port6, "origin": self.origin.host_port, "origin_port": self.origin.port}
        return [spelling.format(**names) for spelling in SPELLINGS]

    def run(self, url: str, kind: str = "HLS") -> Any:
        """The task at the end of its run; nobody was dialled who must not be."""
        user: User = self.service.user()
        task = user.wait(user.create(url, kind)["id"])
        assert [listener.accepted for listener in self.listeners] == [0] * len(self.listeners)
        return task

    def serve(self, path: str, text: str) -> str:
        self.origin.put(path, text.encode())
        return self.origin.url(path)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        origin = stack.enter_context(Origin())
        listeners = [stack.enter_context(Listener())]
        with suppress(OSError):  # a machine without IPv6
            listeners.append(stack.enter_context(Listener("::1")))
        folder = tmp_path_factory.mktemp("service")
        service = stack.enter_context(Service(folder, EGRESS_ALLOW=origin.host_port, AUTO_RETRY="false"))
        for number in range(GOOD):
            origin.put(f"/{number}.ts", TS)
        yield World(service, origin, tuple(listeners))


def failures(task: Any) -> list[tuple[str, str, str, int | None]]:
    return [
        (failure["resourceType"], failure["failureType"], failure["errorMessage"], failure["segmentIndex"])
        for failure in sorted(task["failures"]["nodes"], key=lambda failure: failure["segmentIndex"] or 0)
    ]


def a_playlist(uris: list[str]) -> str:
    lines = [f"#EXTINF:1,\n{uri}\n" for uri in [*uris, *(f"/{number}.ts" for number in range(GOOD))]]
    return HEAD + "".join(lines) + END


def check_that_the_others_arrived(task: Any, inside: int) -> None:
    assert failures(task) == [("TS", "PERMISSION_ERROR", BLOCKED, index) for index in range(inside)]
    assert (task["status"], task["segmentsDownloaded"]) == ("PARTIAL_COMPLETED", GOOD)
    assert task["lastError"] == f"{inside} of {inside + GOOD} pieces are missing: {BLOCKED}"


def test_segment_lines(world: World) -> None:
    task = world.run(world.serve("/lines.m3u8", a_playlist(world.spellings)))
    check_that_the_others_arrived(task, len(SPELLINGS))
    assert [failure["resourceUrl"] for failure in task["failures"]["nodes"]].count(world.inside) == 2  # one from //


def test_redirects_of_segments(world: World) -> None:
    for number, spelling in enumerate(world.spellings):
        world.origin.fail(f"/to/{number}.ts", redirect(spelling, 301 + number % 3))
    uris = [f"/to/{number}.ts" for number in range(len(SPELLINGS))]
    check_that_the_others_arrived(world.run(world.serve("/redirects.m3u8", a_playlist(uris))), len(uris))
    assert all(world.origin.hits(uri) == 1 for uri in uris)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("kind", "resource_type"), [("HLS", "M3U8"), ("MP4", "MP4"), ("IMAGE", "IMAGE")])
def test_redirects_of_whole_files(world: World, kind: str, resource_type: str, code: int) -> None:
    """The second hop leads inside."""
    path = f"/{kind}/{code}"
    world.origin.fail(path, redirect(f"{path}/again", code))
    world.origin.fail(f"{path}/again", redirect(world.inside, code))
    task = world.run(world.origin.url(path), kind)
    assert failures(task) == [(resource_type, "PERMISSION_ERROR", BLOCKED, None)]
    assert (task["status"], task["lastError"]) == ("FAILED", BLOCKED)


def test_variant_lines(world: World) -> None:
    url = world.serve("/master.m3u8", f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{world.inside}\n")
    task = world.run(url)
    assert failures(task) == [("M3U8", "PERMISSION_ERROR", BLOCKED, None)]
    assert task["failures"]["nodes"][0]["resourceUrl"] == world.inside


@pytest.mark.parametrize("by", ["line", "redirect"])
@pytest.mark.parametrize(
    ("tag", "needed"),
    [
        ('#EXT-X-KEY:METHOD=AES-128,URI="{}"', "key {}"),
        ('#EXT-X-MAP:URI="{}"', "initialization section {}"),
    ],
)
def test_what_segments_need(world: World, tag: str, needed: str, by: str) -> None:
    world.origin.fail("/to/inside", redirect(world.inside))
    uri = world.inside if by == "line" else "/to/inside"
    task = world.run(world.serve("/needs.m3u8", f"{HEAD}{tag.format(uri)}\n#EXTINF:1,\n/0.ts\n{END}"))
    message = f"{BLOCKED} (the {needed.format(uri.rpartition('/')[2])} that this segment needs)"
    assert failures(task) == [("TS", "PERMISSION_ERROR", message, 0)]
    assert (task["status"], task["lastError"]) == ("FAILED", message)


def test_a_name_that_leads_inside(world: World) -> None:
    """What the machine's own name resolves to is looked at before it is dialled."""
    name = socket.gethostname()
    try:
        found = {str(address[0]) for *_, address in socket.getaddrinfo(name, 80)}
    except OSError:
        pytest.skip("this machine's name has no address")
    if any(ip_address(each).is_global for each in found):
        pytest.skip("this machine's name has a public address")
    with ExitStack() as stack:
        listeners = [stack.enter_context(Listener(each)) for each in found if "%" not in each]
        uris = [f"http://{name}:{listener.port}/a" for listener in listeners]
        check_that_the_others_arrived(world.run(world.serve("/names.m3u8", a_playlist(uris))), len(uris))
        assert [listener.accepted for listener in listeners] == [0] * len(listeners)
