"""`make screenshots`: the pictures of the README, taken of a running service, into docs/images."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import av
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import CHROMIUM
from tests.e2e.service import Service, User
from tests.origin import Origin
from tests.origin_faults import status

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
SEGMENTS = 12  # of the clip that a stream repeats
NONE = range(0)
COLOURS = ("0x14506e:c1=0xe0a458:c2=0x6a2e4f", "0x1b4332:c1=0x95d5b2:c2=0x081c15", "0x3d348b:c1=0xf18701:c2=0x7678ed")


def main() -> None:
    """Start everything, have something of each kind, and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Origin() as origin:
        settings = {"EGRESS_ALLOW": origin.host_port, "AUTO_RETRY": "false"}
        with Service(Path(folder), **settings) as service, sync_playwright() as playwright:
            user = service.user()
            partial = furnish(user, origin)
            browser = playwright.chromium.launch(executable_path=CHROMIUM)
            take_all(browser, service, user, partial)
            browser.close()


def furnish(user: User, origin: Origin) -> str:
    """Downloads in every state; the id of the one to show."""
    done = stream(user, origin, look=0, pieces=120, title="Grand final, day two", room="arena-7")
    partial = stream(
        user, origin, look=1, pieces=900, title="Autumn concert, the whole evening", room="concert-21", lost=True
    )
    paused = stream(user, origin, look=2, pieces=300, title="城市夜跑：全程直播", room="room-88", held=range(120, 300))
    user.watch(paused, lambda task: task["segmentsDownloaded"] >= 100)
    user.move("pauseTask", paused)
    origin.put("/poster.png", picture(COLOURS[2]))
    poster = user.create(origin.url("/poster.png"), "IMAGE", liveroomTitle="Poster", liveroomId="concert-21")["id"]
    film = user.create(origin.url("/gone.mp4"), "MP4", liveroomTitle="Product film", liveroomId="studio-2")["id"]
    running = stream(
        user, origin, look=0, pieces=400, title="Morning show, Friday", room="studio-2", held=range(260, 400)
    )
    for task_id in (done, partial, poster, film):
        user.wait(task_id)
    user.watch(running, lambda task: task["segmentsDownloaded"] >= 240)
    return partial


def stream(
    user: User,
    origin: Origin,
    *,
    look: int,
    pieces: int,
    title: str,
    room: str,
    lost: bool = False,
    held: range = range(0),
) -> str:
    """Start a stream of so many segments of a second; some are lost in two stretches and here and there."""
    clip, under = segments(COLOURS[look]), f"/{title.encode().hex()}/"
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1"]
    for index in range(pieces):
        lines += ["#EXT-X-DISCONTINUITY"] if index and index % SEGMENTS == 0 else []
        lines += ["#EXTINF:1.0,", f"{index}.ts"]
        origin.put(f"{under}{index}.ts", clip[index % SEGMENTS])
    origin.put(f"{under}live.m3u8", "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode())
    for index in (*range(312, 331), *range(540, 546), 77, 201, 640, 655, 820) if lost else ():
        origin.fail(f"{under}{index}.ts", status(404))
    for index in held:
        origin.hold(f"{under}{index}.ts")
    new: dict[str, Any] = {"liveroomTitle": title, "liveroomId": room}
    return str(user.create(origin.url(f"{under}live.m3u8"), **new)["id"])


def segments(colours: str) -> list[bytes]:
    """A clip in transport streams of a second each."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "clip.m3u8")
        with av.open(str(target), "w", format="hls", options={"hls_time": "1", "hls_list_size": "0"}) as output:
            video = output.add_stream("libx264", rate=10, options={"g": "10", "sc_threshold": "0"})
            video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
            for frame in frames(colours, SEGMENTS):
                output.mux(video.encode(frame))
            output.mux(video.encode())
        return [Path(folder, f"clip{index}.ts").read_bytes() for index in range(SEGMENTS)]


def frames(colours: str, seconds: int) -> list[av.VideoFrame]:
    """Colours that drift."""
    source = f"gradients=s=640x360:c0={colours}:nb_colors=3:seed=3:speed=0.02:d={seconds}:r=10"
    with av.open(source, format="lavfi") as container:
        return [frame.reformat(format="yuv420p") for frame in container.decode(video=0)]


def picture(colours: str) -> bytes:
    """A still one, as PNG."""
    codec = av.CodecContext.create("png", "w")
    frame = frames(colours, 1)[0].reformat(format="rgb24")
    codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "rgb24"
    return b"".join(bytes(packet) for packet in codec.encode(frame))


def take_all(browser: Browser, service: Service, user: User, partial: str) -> None:
    """Light in English, dark in Chinese, and a phone."""
    light, dark = opened(browser, service, user), opened(browser, service, user, language="zh-CN", scheme="dark")
    phone = opened(browser, service, user, width=360, height=760)
    take(light, "downloads")
    take(dark, "downloads-zh-dark")
    take(phone, "downloads-phone")
    for page, name in ((light, "download"), (dark, "download-zh-dark")):
        page.goto(f"{service.url}/#/task/{partial}")
        page.locator(".map canvas").hover(position={"x": 100, "y": 82})
        take(page, name)
    light.goto(f"{service.url}/#/library")
    take(light, "library")


def opened(
    browser: Browser,
    service: Service,
    user: User,
    *,
    language: str = "en-GB",
    scheme: Any = "light",
    width: int = SIZE["width"],
    height: int = SIZE["height"],
) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, locale=language, color_scheme=scheme)
    page.goto(f"{service.url}/#token={user.token}")
    page.locator(".row h2").first.wait_for()
    return page


def take(page: Page, name: str) -> None:
    """Once its pictures are there."""
    page.wait_for_load_state("networkidle")
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    page.wait_for_function("[...document.querySelectorAll('video')].every((video) => video.readyState >= 2)")
    page.wait_for_timeout(800)  # and shown
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
