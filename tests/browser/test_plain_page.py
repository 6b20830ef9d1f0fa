"""The page that stands in for GraphiQL until that is built."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Watched
from tests.e2e.service import Service, User
from web.pages import PLAIN


def _stand_in(page: Page, service: Service) -> None:
    """As the service itself would, with its policy."""
    asked = httpx.get(f"{service.url}/graphql", headers={"Accept": "text/html"})
    headers = {"Content-Security-Policy": asked.headers["content-security-policy"]}

    def serve(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/assets/"):
            route.fulfill(path=PLAIN / path.lstrip("/"), headers=headers)
        elif route.request.method == "GET":
            route.fulfill(path=PLAIN / "graphiql.html", headers=headers)
        else:
            route.continue_()

    page.route(f"{service.url}/**", serve)


def test_it_asks_and_follows(watched: Watched, service: Service) -> None:
    user: User = service.user()
    task = user.create("https://example.com/a.mp4", "MP4", autoStart=False)
    page = watched.page
    _stand_in(page, service)
    page.goto(f"{service.url}/graphql#token={user.token}")
    run, answer = page.get_by_role("button", name="Run"), page.locator("#answer")

    run.click()
    expect(answer).to_contain_text('"totalCount": 1')
    assert page.url == f"{service.url}/graphql"

    page.get_by_label("Operation").fill("subscription($id: ID!) { taskChanged(id: $id) { status } }")
    page.get_by_label("Variables").fill(f'{{"id": "{task["id"]}"}}')
    run.click()
    expect(answer).to_contain_text('"status": "PENDING"')
    user.move("cancelTask", task["id"])
    expect(answer).to_contain_text('"status": "CANCELLED"')
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()

    page.get_by_label("Operation").fill("subscription { tasksChanged { id } }")
    page.get_by_label("Variables").fill("")
    run.click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()
