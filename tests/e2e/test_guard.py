"""Nothing that an origin says makes the service dial an address inside: a listener there would know."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin

import pytest

from tests import media
from tests.e2e.addresses_inside import ANSWERS, RESOLVER, SPELLINGS
from tests.e2e.service import Service, User
from tests.origin import Listener, Origin
from tests.origin_faults import redirect

BLOCKED = "blocked: not a public http or https address"
TS = media.hls_vod(1).segments[0]
HEAD, END = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n", "#EXT-X-ENDLIST\n"
GOOD = 150  # segments of the allowed origin beside what is refused: enough for a partial result
HALVES = [SPELLINGS[::2], SPELLINGS[1::2]]  # a page of failures has a hundred


@dataclass(frozen=True)
class World:
    """A service, the one origin that it may fetch from, and listeners that it may not dial."""

    service: Service
    origin: Origin
    listeners: tuple[Listener, ...]

    @property
    def inside(self) -> str:
        return f"http://{self.listeners[0].host_port}/a"

    def spelled(self, spellings: list[str]) -> list[str]:
        """URLs, or references, of this world."""
        port, port6 = self.listeners[0].port, self.listeners[-1].port
        names = {"port": port, "port6": port6, "origin": self.origin.host_port, "origin_port": self.origin.port}
        return [spelling.format(**names) for spelling in spellings]

    @property
    def names(self) -> list[str]:
        """URLs whose hosts are names, with answers of which at least one leads inside."""
        ports = {listener.port for listener in self.listeners}
        return [f"http://{name}:{port}/a" for name in ANSWERS for port in sorted(ports)]

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
        folder.joinpath("sitecustomize.py").write_text(RESOLVER)
        settings = {"EGRESS_ALLOW": origin.host_port, "AUTO_RETRY": "false", "PYTHONPATH": str(folder)}
        service = stack.enter_context(Service(folder, **settings))
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


@pytest.mark.parametrize("half", [0, 1])
def test_segment_lines(world: World, half: int) -> None:
    uris = world.spelled(HALVES[half])
    task = world.run(world.serve("/lines.m3u8", a_playlist(uris)))
    check_that_the_others_arrived(task, len(uris))
    base = world.origin.url("/lines.m3u8")
    assert sorted(row["resourceUrl"] for row in task["failures"]["nodes"]) == sorted(urljoin(base, uri) for uri in uris)


@pytest.mark.parametrize("mutation", ["createTask", "updateTask"])
def test_urls_that_users_give(world: World, mutation: str) -> None:
    """The answer is one sentence for all, and no row is written."""
    user = world.service.user()
    known = user.create(world.origin.url("/0.ts"), "MP4", autoStart=False)["id"]
    fields: dict[str, Any] = {"resourceType": "HLS", "liveroomId": "room-1"} if mutation == "createTask" else {}
    target = {} if mutation == "createTask" else {"id": known}
    with world.service.unchanged():
        for url in world.spelled(SPELLINGS):
            arguments = {**target, "input": {**fields, "resourceUrl": url}}
            assert user.errors(mutation, **arguments) == [("BLOCKED_URL", ["input", "resourceUrl"])], url
    assert [listener.accepted for listener in world.listeners] == [0] * len(world.listeners)


@pytest.mark.parametrize("half", [0, 1])
def test_redirects_of_segments(world: World, half: int) -> None:
    spellings = world.spelled(HALVES[half])
    uris = [f"/to/{half}/{number}.ts" for number in range(len(spellings))]
    for number, (uri, spelling) in enumerate(zip(uris, spellings, strict=True)):
        world.origin.fail(uri, redirect(spelling, 301 + number % 3))
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


@pytest.mark.parametrize("by", ["line", "redirect"])
def test_renditions(world: World, by: str) -> None:
    """What they consist of is lost; the picture is not."""
    kinds = ("AUDIO", "SUBTITLES")
    for kind in kinds:
        world.origin.fail(f"/to/{kind}", redirect(world.inside))
    uris = {kind: f"{world.inside}/{kind}" if by == "line" else f"/to/{kind}" for kind in kinds}
    lines = [f'#EXT-X-MEDIA:TYPE={kind},GROUP-ID="g",NAME="n",URI="{uri}"' for kind, uri in uris.items()]
    picture = world.serve("/picture.m3u8", a_playlist([]))
    lines += ['#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="g",SUBTITLES="g"', picture]
    task = world.run(world.serve("/renditions.m3u8", "\n".join(["#EXTM3U", *lines, ""])))
    assert failures(task) == [("M3U8", "PERMISSION_ERROR", BLOCKED, None)] * 2
    assert (task["status"], task["segmentsDownloaded"]) == ("PARTIAL_COMPLETED", GOOD)
    assert by == "line" or [world.origin.hits(uri) for uri in uris.values()] == [1, 1]


def test_a_rendition_whose_segments_key_and_map_are_inside(world: World) -> None:
    sound = f'{HEAD}#EXT-X-MAP:URI="{world.inside}"\n#EXTINF:1,\n/0.ts\n#EXT-X-DISCONTINUITY\n'
    sound += f'#EXT-X-KEY:METHOD=AES-128,URI="{world.inside}"\n#EXTINF:1,\n{world.inside}\n{END}'
    world.serve("/sound.m3u8", sound)
    world.serve("/picture.m3u8", a_playlist([]))
    lines = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="n",URI="/sound.m3u8"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="g"\n'
    task = world.run(world.serve("/with-sound.m3u8", f"#EXTM3U\n{lines}/picture.m3u8\n"))
    assert {(kind, cause, message[: len(BLOCKED)]) for kind, cause, message, _ in failures(task)} == {
        ("TS", "PERMISSION_ERROR", BLOCKED)
    }
    assert (len(failures(task)), task["status"], task["segmentsDownloaded"]) == (2, "PARTIAL_COMPLETED", GOOD)


def test_uris_that_are_no_pieces(world: World) -> None:
    """Players ask for these; the result does not consist of them."""
    tags = """
        #EXT-X-PART-INF:PART-TARGET=1  #EXT-X-PART:DURATION=1,URI="{}"  #EXT-X-PRELOAD-HINT:TYPE=PART,URI="{}"
        #EXT-X-RENDITION-REPORT:URI="{}"  #EXT-X-DATERANGE:ID="a",CLASS="com.apple.hls.interstitial",X-ASSET-URI="{}"
        #EXT-X-CONTENT-STEERING:SERVER-URI="{}"  #EXT-X-SESSION-DATA:DATA-ID="a",URI="{}"
        #EXT-X-SESSION-KEY:METHOD=AES-128,URI="{}"  #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="{}"
        #EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1,URI="{}"  #EXT-X-KEY:METHOD=NONE,URI="{}"  #{}
    """.replace("{}", world.inside).split()
    world.serve("/media.m3u8", a_playlist([]).replace(HEAD, "\n".join([HEAD.rstrip(), *tags, ""])))
    lines = [*tags, "#EXT-X-STREAM-INF:BANDWIDTH=1", "/media.m3u8", ""]
    task = world.run(world.serve("/more.m3u8", "\n".join(["#EXTM3U", *lines])))
    assert (task["status"], task["segmentsDownloaded"]) == ("COMPLETED", GOOD)


def test_uris_made_of_variables(world: World) -> None:
    scheme, _, rest = world.inside.partition("://")
    define = f'#EXT-X-DEFINE:NAME="a",VALUE="{scheme}"\n#EXT-X-DEFINE:NAME="b",VALUE="//{rest}"\n'
    text = a_playlist(["{$a}:{$b}", "{$b}"]).replace(HEAD, HEAD + define)
    check_that_the_others_arrived(world.run(world.serve("/variables.m3u8", text)), 2)


def test_names_with_an_answer_inside(world: World) -> None:
    """One answer of many is enough, and each is asked for anew after a while."""
    check_that_the_others_arrived(world.run(world.serve("/answers.m3u8", a_playlist(world.names))), len(world.names))


def test_redirects_to_names_with_an_answer_inside(world: World) -> None:
    for number, url in enumerate(world.names):
        world.origin.fail(f"/to/name/{number}", redirect(url, 307))
    uris = [f"/to/name/{number}" for number in range(len(world.names))]
    check_that_the_others_arrived(world.run(world.serve("/to-names.m3u8", a_playlist(uris))), len(uris))
    assert all(world.origin.hits(uri) == 1 for uri in uris)


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
