"""The downloads page for everybody: axe-core finds nothing, in light and dark, wide and on a phone of 360 px."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests import media
from tests.browser.conftest import SECONDS, Watched
from tests.browser.downloads_page import DownloadsPage
from tests.e2e.service import Service, User
from tests.origin import Origin
from tests.origin_faults import status

AXE = "node_modules/axe-core/axe.min.js"
RULES = """() => axe
  .run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
  .then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]))"""

Look = Callable[[DownloadsPage, str], None]


@pytest.fixture(scope="module")
def user(service: Service, origin: Origin) -> User:
    """Has one of everything."""
    user = service.user()
    stream = media.many_segments(40)
    under = f"/{'long-' * 40}/"  # addresses are
    origin.put_all(stream.files, under=under)
    names = [name for name in stream.files if name.endswith(".ts")]
    for index in (7, 8, 20):
        origin.fail(f"{under}{names[index]}", status(404))
    origin.put("/cover.png", media.png(64, 48))
    origin.hold("/film.mp4")
    origin.put("/film.mp4", media.mp4())
    partial = user.create(origin.url(f"{under}{stream.media}"), liveroomTitle="Partial")
    picture = user.create(origin.url("/cover.png"), "IMAGE", liveroomTitle="Picture")
    failed = user.create(origin.url("/absent.mp4"), "MP4", liveroomTitle="Failed")
    user.create(origin.url("/film.mp4"), "MP4", liveroomTitle="Running")
    user.move("pauseTask", user.create(origin.url("/film.mp4"), "MP4", liveroomTitle="Paused")["id"])
    user.move("cancelTask", user.create(origin.url("/film.mp4"), "MP4", liveroomTitle="Cancelled")["id"])
    for task in (partial, picture, failed):
        user.wait(task["id"])
    return user


def _form(page: DownloadsPage, _: str) -> None:
    page.go("#/new")
    dialog = page.page.get_by_role("dialog")
    dialog.get_by_label("URLs", exact=True).fill("https://media.example/a.m3u8\nftp://b")
    dialog.get_by_text("More options").click()
    dialog.get_by_role("button", name="Add 2 downloads").click()
    expect(dialog.get_by_text("This is no http or https URL.")).to_be_visible()


def _import(page: DownloadsPage, _: str) -> None:
    page.go("#/import")
    dialog = page.page.get_by_role("dialog")
    dialog.get_by_label("Start at once").uncheck()
    dialog.get_by_label("CSV file").set_input_files(
        {
            "name": "a.csv",
            "mimeType": "text/csv",
            "buffer": b"liveroom_id,resource_url,resource_type\nroom-1,https://a.example/,mp4\nr,https://a.example/,mp4\n",
        }
    )
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_role("table")).to_be_visible()


def _detail(page: DownloadsPage, _: str) -> None:
    page.page.get_by_role("link", name="Partial").click()
    x, y = page.cells("f")[0]
    page.canvas.click(position={"x": x + 3, "y": y + 3})
    expect(page.page.locator(".choice")).to_be_visible()
    page.page.get_by_text("Lost stretches").click()


def _selection(page: DownloadsPage, _: str) -> None:
    page.page.get_by_label("Select Partial").check()


def _deletion(page: DownloadsPage, _: str) -> None:
    page.page.get_by_role("button", name="Delete: Partial").click()


def _library(page: DownloadsPage, _: str) -> None:
    page.go("#/library")
    expect(page.page.get_by_role("article", name="Partial")).to_be_visible()


def _playing(page: DownloadsPage, _: str) -> None:
    _library(page, _)
    page.page.get_by_role("button", name="Play Partial").click()
    expect(page.page.locator("video")).to_be_visible()


def _empty(page: DownloadsPage, _: str) -> None:
    page.page.get_by_label("Search title, room or URL").fill("nothing of that name")
    expect(page.page.get_by_role("heading", name="Nothing matches")).to_be_visible()


def _not_found(page: DownloadsPage, _: str) -> None:
    page.go("#/task/0b2f7c9e-4f0d-4a53-9a52-3d1f0c3c5a77")
    expect(page.page.get_by_role("heading", name="This download does not exist")).to_be_visible()


def _signed_out(page: DownloadsPage, _: str) -> None:
    page.page.get_by_role("button", name="Sign out").click()
    page.page.get_by_label("Access token").fill("no token")
    page.page.get_by_role("button", name="Sign in").click()


VIEWS: list[Look] = [
    lambda *_: None,
    _selection,
    _deletion,
    _empty,
    _form,
    _import,
    _detail,
    _not_found,
    _library,
    _playing,
    _signed_out,
]


@pytest.fixture(
    params=[
        ("light", 1280),
        ("dark", 360),
        pytest.param(("dark", 1280), marks=pytest.mark.long),
        pytest.param(("light", 360), marks=pytest.mark.long),
    ],
    ids=lambda param: f"{param[0]}, {param[1]} px",
)
def watched(browser: Browser, service: Service, request: pytest.FixtureRequest) -> Iterator[Watched]:
    scheme, width = request.param
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 740})
    context.set_default_timeout(SECONDS * 1000)
    watched = Watched(context.new_page())
    watched.watch()
    yield watched
    assert watched.elsewhere(service) == []
    assert watched.complaints == []
    context.close()


def test_every_view_is_for_everybody(watched: Watched, service: Service, user: User, npm: Path) -> None:
    page = DownloadsPage(watched.page, service)
    found = []
    for look in VIEWS:
        watched.page.goto("about:blank")
        page.open(user.token, "#/")
        expect(page.row("Partial")).to_be_visible()
        look(page, "")
        watched.page.evaluate("scrollTo(0, 0)")  # what scrolls under the header is out of sight, not too small
        watched.page.evaluate((npm / AXE).read_text())
        name = getattr(look, "__name__", "")
        found += [(name, *violation) for violation in watched.page.evaluate(RULES)]
        if not page.is_within_the_screen():
            found.append((name, "wider than the screen"))
        watched.page.evaluate("sessionStorage.removeItem('draft:wanted')")
    assert found == []
