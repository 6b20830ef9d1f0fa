"""A download from the form to the trash, as a person goes through it, in both languages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests import media
from tests.browser.conftest import SECONDS, Watched
from tests.browser.downloads_page import DownloadsPage
from tests.e2e.service import Service
from tests.origin import Origin
from tests.origin_faults import status

LOST = range(5, 100, 10)


@pytest.fixture(params=["en-GB", "zh-CN"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def watched(browser: Browser, service: Service, language: str) -> Iterator[Watched]:
    """A browser in that language. Afterwards nothing was asked of others, and nothing complained of."""
    context = browser.new_context(locale=language, timezone_id="Asia/Shanghai", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(SECONDS * 1000)
    watched = Watched(context.new_page())
    watched.watch()
    yield watched
    assert watched.elsewhere(service) == []
    assert watched.complaints == []
    context.close()


def test_watch_repair_play_and_delete(
    watched: Watched, browser: Browser, service: Service, origin: Origin, language: str
) -> None:
    stream, under = media.many_segments(100), f"/{language}/"
    origin.put_all(stream.files, under=under)
    names = [name for name in stream.files if name.endswith(".ts")]
    for index in LOST:
        origin.fail(under + names[index], status(404))
    gate = origin.hold(under + names[99])
    user, page = service.user(), DownloadsPage(watched.page, service, language)

    # sign in by the fragment, which is gone then
    page.open(user.token)
    assert watched.page.url == f"{service.url}/"
    expect(watched.page.get_by_role("heading", name=page.word("none"))).to_be_visible()

    # it moves without a reload
    page.add(origin.url(under + stream.media), "arena-7", "Grand final")
    row = page.row("Grand final")
    expect(row.get_by_text(page.word("downloading"))).to_be_visible()
    gate.wait_until_held()
    expect(row.get_by_role("progressbar")).to_have_attribute("value", "0.89")

    # ten red cells, and one that is not there yet
    row.get_by_role("link", name="Grand final").click()
    page.expect_cells("f", 10)
    page.expect_cells("i", 1)
    assert len(page.cells("s")) == 89
    gate.release()
    expect(watched.page.locator(".chip", has_text=page.word("partial"))).to_be_visible()
    page.expect_cells("s", 90)
    told = page.point_at(page.cells("f")[0])
    assert any("5" in line for line in told)
    assert "HTTP 404" in told

    # click one, retry it: it turns; then all the others
    origin.heal()
    x, y = page.cells("f")[0]
    page.canvas.click(position={"x": x + 3, "y": y + 3})
    watched.page.locator(".choice").get_by_role("button", name=page.word("retry")).click()
    page.expect_cells("f", 9)
    page.expect_cells("s", 91)
    page.button("retry all").click()
    page.expect_cells("f", 0)
    page.expect_cells("s", 100)
    expect(watched.page.locator(".chip", has_text=page.word("completed"))).to_be_visible()

    # play it to the end, over 25 discontinuities, and go back to the middle
    watched.page.reload()
    assert page.play_to_the_end() == pytest.approx(stream.duration, abs=2)
    assert page.seek(stream.duration / 2) == pytest.approx(stream.duration / 2, abs=0.1)

    # nobody else sees anything of it
    task_id = watched.page.url.rpartition("/")[2]
    other = browser.new_page(locale=language)
    seen_by_other = DownloadsPage(other, service, language)
    seen_by_other.open(service.user().token)
    expect(other.get_by_role("heading", name=page.word("none"))).to_be_visible()
    seen_by_other.go(f"#/task/{task_id}")
    expect(other.get_by_role("heading", name=page.word("not found"))).to_be_visible()
    other.close()

    # delete it, after being asked
    page.button("delete").click()
    page.button("delete", watched.page.get_by_role("dialog")).click()
    expect(watched.page.get_by_role("heading", name=page.word("none"))).to_be_visible()
    assert user.task(task_id) is None
