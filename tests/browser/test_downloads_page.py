"""The downloads page, part by part: signing in, the list, forms, one download, the library, and a service that goes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import jwt
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import media
from tests.browser.conftest import SECONDS, Watched
from tests.browser.downloads_page import DownloadsPage
from tests.e2e.service import SECRET, Service, User
from tests.origin import Origin
from tests.origin_faults import status

FILM = "/film.mp4"


@pytest.fixture
def page(watched: Watched, service: Service) -> DownloadsPage:
    return DownloadsPage(watched.page, service)


@pytest.fixture
def user(service: Service) -> User:
    return service.user()


def titles(page: Page) -> list[str]:
    return page.locator(".row h2").all_inner_texts()


def waiting(user: User, *named: str, **more: object) -> list[str]:
    """Tasks that are not started; their ids."""
    url = "https://media.example/film.mp4"
    return [user.create(url, "MP4", liveroomTitle=title, autoStart=False, **more)["id"] for title in named]


# --- signing in ---


def test_a_token_is_pasted_and_an_expired_one_leads_back_with_what_was_typed(
    browser: Browser, service: Service, user: User
) -> None:
    opened = browser.new_page()
    opened.set_default_timeout(SECONDS * 1000)
    opened.goto(f"{service.url}/#/new")
    opened.get_by_label("Access token").fill("no token")
    opened.get_by_role("button", name="Sign in").click()
    expect(opened.get_by_role("alert").filter(has_text="This is no access token")).to_be_visible()
    claims = {"user_id": str(user.id), "exp": int(time.time()) + 5}
    opened.get_by_label("Access token").fill(f"Bearer {jwt.encode(claims, SECRET)}")
    opened.get_by_role("button", name="Sign in").click()
    opened.get_by_label("URLs", exact=True).fill("https://media.example/typed.m3u8")

    expect(opened.get_by_text("Your session has expired.")).to_be_visible()
    opened.get_by_label("Access token").fill(user.token)
    opened.get_by_role("button", name="Sign in").click()
    expect(opened.get_by_label("URLs", exact=True)).to_have_value("https://media.example/typed.m3u8")

    opened.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    opened.get_by_role("button", name="Sign out").click()
    expect(opened.get_by_text("You are signed out.")).to_be_visible()
    assert json.loads(opened.evaluate("JSON.stringify({...sessionStorage})")).get("token") is None
    opened.close()


# --- the list ---


def test_it_is_filtered_searched_and_sorted(page: DownloadsPage, user: User) -> None:
    waiting(user, "Anna", liveroomId="room-2", priority=10)
    waiting(user, "Berta", liveroomId="room-1", priority=90)
    user.move("cancelTask", waiting(user, "Carla", liveroomId="room-3")[0])
    page.open(user.token)
    expect(page.page.locator(".row h2")).to_have_text(["Carla", "Berta", "Anna"])

    page.page.get_by_label("Sort by").select_option("Priority")
    expect(page.page.locator(".row h2")).to_have_text(["Berta", "Carla", "Anna"])
    page.page.get_by_label("Sort by").select_option("Room")
    expect(page.page.locator(".row h2")).to_have_text(["Berta", "Anna", "Carla"])
    page.page.get_by_role("button", name="Active 2").click()
    expect(page.page.locator(".row h2")).to_have_text(["Berta", "Anna"])
    page.page.get_by_label("Search title, room or URL").fill("ann")
    expect(page.page.locator(".row h2")).to_have_text(["Anna"])
    page.page.get_by_label("Search title, room or URL").fill("nobody")
    page.page.get_by_role("button", name="Clear filters").click()
    expect(page.page.locator(".row h2")).to_have_text(["Berta", "Anna", "Carla"])


def test_many_are_moved_at_once(page: DownloadsPage, origin: Origin, user: User) -> None:
    origin.put(FILM, media.mp4())
    gate = origin.hold(FILM)
    for title in ("Anna", "Berta", "Carla"):
        user.create(origin.url(FILM), "MP4", liveroomTitle=title, autoStart=False)
    page.open(user.token)
    select_all = page.page.get_by_label("Select all that are loaded")
    select_all.check()
    bar = page.page.locator(".selection")
    expect(bar.get_by_text("3 selected")).to_be_visible()
    bar.get_by_role("button", name="Start").click()
    expect(page.page.get_by_text("3 downloads started.")).to_be_visible()
    expect(page.page.locator(".chip.running")).to_have_count(3)
    page.row("Berta").get_by_role("button", name="Pause: Berta").click()
    expect(page.row("Berta").get_by_text("Paused")).to_be_visible()
    page.row("Berta").get_by_role("button", name="Resume: Berta").click()
    expect(page.page.locator(".chip.running")).to_have_count(3)
    gate.release()
    expect(page.page.locator(".chip.done")).to_have_count(3)
    select_all.check()
    bar.get_by_role("button", name="Delete").click()
    dialog = page.page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Delete 3 downloads?")).to_be_visible()
    dialog.get_by_role("button", name="Keep").click()
    expect(page.page.locator(".row h2")).to_have_count(3)
    bar.get_by_role("button", name="Delete").click()
    page.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.page.get_by_role("heading", name="No downloads yet")).to_be_visible()
    assert user.execute("{ tasks { totalCount } }") == {"tasks": {"totalCount": 0}}


# --- the form and the import ---


def test_what_the_service_refuses_stays_with_the_reason_beside_it(
    page: DownloadsPage, origin: Origin, user: User
) -> None:
    origin.put(FILM, media.mp4())
    page.open(user.token, "#/new")
    dialog = page.page.get_by_role("dialog")
    good, blocked = origin.url(FILM), "http://10.0.0.1/private.m3u8"
    dialog.get_by_label("URLs", exact=True).fill(f"{good}\n{blocked}\n")
    expect(dialog.get_by_label(f"Type of {good}")).to_have_value("MP4")
    expect(dialog.get_by_label(f"Type of {blocked}")).to_have_value("HLS")
    dialog.get_by_role("button", name="Add 2 downloads").click()
    room = dialog.get_by_label("Live room")
    expect(room).to_have_accessible_description("This is needed. 5 to 20 characters.")
    room.fill("abc")
    dialog.get_by_role("button", name="Add 2 downloads").click()
    expect(room).to_have_attribute("aria-invalid", "true")
    assert user.execute("{ tasks { totalCount } }") == {"tasks": {"totalCount": 0}}
    room.fill("room-1")
    dialog.get_by_role("button", name="Add 2 downloads").click()

    expect(page.page.get_by_text("1 download added.")).to_be_visible()
    expect(dialog.get_by_label("URLs", exact=True)).to_have_value(blocked)
    expect(dialog.locator(".lines .fault")).to_be_visible()
    assert user.execute("{ tasks { totalCount } }") == {"tasks": {"totalCount": 1}}


def test_a_file_is_imported_with_a_report_of_its_rows(page: DownloadsPage, user: User, tmp_path: Path) -> None:
    rows = [
        "liveroom_id,resource_url,resource_type,liveroom_title",
        "room-1,https://media.example/a.mp4,mp4,One",
        "r,https://media.example/b.mp4,mp4,Two",
        "room-1,https://media.example/c.mp4,film,Three",
        "room-1,https://media.example/a.mp4,mp4,One",
    ]
    file = tmp_path / "list.csv"
    file.write_text("\n".join(rows))
    page.open(user.token, "#/import")
    dialog = page.page.get_by_role("dialog")
    dialog.get_by_label("Start at once").uncheck()
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_text("Choose a file first.")).to_be_visible()
    dialog.get_by_label("CSV file").set_input_files(file)
    dialog.get_by_role("button", name="Import", exact=True).click()

    expect(dialog.get_by_text("1 added, 2 failed, 1 skipped")).to_be_visible()
    shown = [row.split("\t") for row in dialog.locator("tbody tr").all_inner_texts()]
    assert [(cells[0], cells[-1].strip()) for cells in shown] == [
        ("3", "liveroom_id must have 5 to 20 characters."),
        ("4", 'resource_type is "film": it must be hls, mp4 or image.'),
        ("5", "There is a download with this URL, room and title already."),
    ]
    dialog.get_by_role("button", name="Close").last.click()
    expect(page.page.locator(".row h2")).to_have_text(["One"])


# --- one download ---


def test_the_map_by_keyboard(page: DownloadsPage, origin: Origin, user: User) -> None:
    stream = media.many_segments(40)
    origin.put_all(stream.files, under="/keys/")
    names = [name for name in stream.files if name.endswith(".ts")]
    for index in (7, 8, 20):
        origin.fail(f"/keys/{names[index]}", status(404))
    task = user.create(origin.url(f"/keys/{stream.media}"))
    user.wait(task["id"])
    page.open(user.token, f"#/task/{task['id']}")
    slider = page.page.get_by_role("slider", name="Pieces of main track")
    slider.focus()
    slider.press("n")
    expect(slider).to_have_attribute("aria-valuenow", "7")
    expect(slider).to_have_attribute("aria-valuetext", "Piece 7, at about 0:04, failed, HTTP 404, now")
    slider.press("n")
    expect(slider).to_have_attribute("aria-valuenow", "20")
    slider.press("p")
    slider.press("ArrowRight")
    slider.press("Enter")
    choice = page.page.get_by_role("group", name="Pieces 7–8")
    expect(choice.get_by_role("button", name="Retry: Pieces 7–8")).to_be_focused()
    choice.get_by_role("button", name="Give up: Pieces 7–8").press("Enter")
    page.expect_cells("a", 2)
    page.expect_cells("f", 1)
    failures = page.page.get_by_role("region", name="Failures")
    failures.get_by_role("button", name="Give up: Piece 20").click()
    page.expect_cells("a", 3)


# --- the library ---


def test_what_has_arrived_is_there_to_play_and_to_keep(page: DownloadsPage, origin: Origin, user: User) -> None:
    origin.put(FILM, media.mp4())
    origin.put("/cover.png", media.png(64, 48))
    for name, kind, title in ((FILM, "MP4", "Film"), ("/cover.png", "IMAGE", "Poster")):
        user.wait(user.create(origin.url(name), kind, liveroomTitle=title)["id"])
    page.open(user.token, "#/library")
    film, poster = page.page.get_by_role("article", name="Film"), page.page.get_by_role("article", name="Poster")
    expect(film.locator(".length")).to_have_text("0:02")
    expect(film).to_contain_text("320 × 180")
    expect(poster).to_contain_text("64 × 48")
    assert film.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
    with page.page.expect_download() as saved:
        film.get_by_role("link", name="Download Film").click()
    assert saved.value.path().read_bytes() == media.mp4()
    film.get_by_role("button", name="Play Film").click()
    assert page.play_to_the_end() == pytest.approx(2, abs=0.3)
    page.page.keyboard.press("Escape")
    poster.get_by_role("button", name="Delete Poster").click()
    page.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(poster).to_have_count(0)
    expect(page.page.get_by_text("1 item", exact=True)).to_be_visible()


# --- the service goes away ---


def test_it_says_that_the_service_is_gone_and_comes_back_by_itself(
    browser: Browser, tmp_path: Path, origin: Origin
) -> None:
    origin.put(FILM, media.mp4())
    gate = origin.hold(FILM)
    opened = browser.new_page()
    opened.set_default_timeout(SECONDS * 1000)
    with Service(tmp_path, EGRESS_ALLOW=origin.host_port, AUTO_RETRY="false") as service:
        user, page = service.user(), DownloadsPage(opened, service)
        page.open(user.token)
        page.add(origin.url(FILM), "room-1", "Film")
        gate.wait_until_held()
        expect(page.row("Film").get_by_text("Downloading")).to_be_visible()

        service.terminate()
        expect(opened.get_by_role("status").filter(has_text="The connection is lost.")).to_be_visible()
        page.row("Film").get_by_role("button", name="Pause: Film").click()
        expect(opened.get_by_text("The service cannot be reached.")).to_be_visible()
        expect(page.row("Film").get_by_text("Downloading")).to_be_visible()
        gate.release()
        service.start()

        expect(opened.get_by_text("The connection is lost.")).to_have_count(0)
        expect(page.row("Film").get_by_text("Completed")).to_be_visible()
        opened.close()
