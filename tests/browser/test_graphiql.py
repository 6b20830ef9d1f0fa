"""GraphiQL, by the link that `make run` prints."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests import media
from tests.browser.conftest import Watched
from tests.e2e.service import Service, User
from tests.origin import Origin


class GraphiQL:
    """What a person does on the page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, service: Service, token: str) -> None:
        self.page.goto(f"{service.url}/graphql#token={token}")
        expect(self.page.get_by_role("button", name="Execute query")).to_be_enabled()
        self.headers_are(token)

    def headers_are(self, token: str) -> None:
        headers = self.page.locator("[aria-label='Headers'] .graphiql-editor:not(.hidden) .view-lines")
        expect(headers).to_contain_text(f'"Bearer {token}"')

    def run(self, operation: str) -> None:
        """Paste an operation with a name: of what is typed, the editor closes the brackets itself."""
        editor = self.page.locator(".graphiql-query-editor .view-lines")
        self.page.evaluate("text => navigator.clipboard.writeText(text)", operation)
        editor.click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.press("ControlOrMeta+V")
        expect(self.page.locator(".graphiql-tab-active")).to_have_text(operation.split()[1])
        self.page.keyboard.press("ControlOrMeta+Enter")

    def shows(self, text: str) -> None:
        """Among the lines of the answer that are in view."""
        expect(self.page.locator(".result-window .view-lines")).to_contain_text(text)


@pytest.fixture
def graphiql(watched: Watched) -> GraphiQL:
    return GraphiQL(watched.page)


@pytest.fixture
def user(service: Service) -> User:
    return service.user()


def _stored(page: Page, storage: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(page.evaluate(f"JSON.stringify({{...{storage}}})"))
    return found


def test_the_link_signs_in_and_leaves_no_trace(
    graphiql: GraphiQL, watched: Watched, service: Service, user: User
) -> None:
    graphiql.open(service, user.token)

    assert graphiql.page.url == f"{service.url}/graphql"
    graphiql.run("query Who { viewer { userId } }")
    graphiql.shows(str(user.id))
    assert _stored(graphiql.page, "sessionStorage") == {"token": user.token}
    assert user.token not in json.dumps(_stored(graphiql.page, "localStorage"))
    assert [url for url in watched.requests if user.token in url and "#" not in url] == []

    graphiql.page.reload()
    graphiql.headers_are(user.token)
    assert graphiql.page.url == f"{service.url}/graphql"


def test_another_link_signs_in_anew(graphiql: GraphiQL, service: Service, user: User) -> None:
    graphiql.open(service, user.token)
    another = service.user()
    graphiql.open(service, another.token)  # the browser loads nothing: only the fragment is another one
    graphiql.run("query Who { viewer { userId } }")
    graphiql.shows(str(another.id))
    assert graphiql.page.url == f"{service.url}/graphql"


def test_it_asks_changes_and_follows(
    graphiql: GraphiQL, watched: Watched, service: Service, origin: Origin, user: User
) -> None:
    origin.put("/film.mp4", media.mp4())
    new = f'{{resourceUrl: "{origin.url("/film.mp4")}", resourceType: MP4, liveroomId: "room-1"}}'
    graphiql.open(service, user.token)

    graphiql.run("query Tasks { tasks { totalCount } }")
    graphiql.shows('"totalCount": 0')

    graphiql.run(f"mutation Create {{ createTask(input: {new}) {{ task {{ status }} userErrors {{ code }} }} }}")
    graphiql.shows('"status": "PENDING"')
    (task,) = user.execute("{ tasks { nodes { id } } }")["tasks"]["nodes"]

    graphiql.run(f'subscription Follow {{ taskChanged(id: "{task["id"]}") {{ status }} }}')
    graphiql.shows('"status": "PENDING"')
    user.move("startTask", task["id"])
    graphiql.shows('"status": "COMPLETED"')
    assert len(watched.sockets) == 1


def test_a_refused_token_is_told(graphiql: GraphiQL, watched: Watched, service: Service) -> None:
    graphiql.page.goto(f"{service.url}/graphql#token=x.y.z")
    graphiql.headers_are("x.y.z")
    graphiql.run("subscription All { tasksChanged { id } }")
    graphiql.shows("4403")
    # The schema is not shown either: the browser itself says so, each in its own time.
    while {line.rpartition(" ")[2] for line in watched.complaints} != {"(Unauthorized)", "Forbidden"}:
        graphiql.page.wait_for_event("console")
    watched.complaints.clear()
