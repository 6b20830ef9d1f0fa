"""GRAPHIQL=false: no page, no introspection, and no name is told that was not known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graphql import get_introspection_query

from main import greeting
from settings import Settings
from tests.e2e.service import SECRET, Service
from tests.subscriber import subscriber

ASKING = [
    get_introspection_query(),
    '{ __type(name: "Query") { name } }',
    "{ viewr { userId } }",
    "{ tasks(fist: 1) { totalCount } }",
    "{ tasks(orderBy: {field: PRIO}) { totalCount } }",
    "mutation { createTask(input: {resourceURL: 1}) { task { id } } }",
    "{ viewer { ...F } } fragment F on Viewr { userId }",
]


def test_nothing_of_the_schema_is_told(tmp_path: Path) -> None:
    with Service(tmp_path, GRAPHIQL="false") as service, subscriber(service.url) as socket:
        user = service.user()
        socket.sign_in(user.token)
        assert service.http.get("/graphql", headers={"Accept": "text/html"}).status_code == 404
        for document in ASKING:
            answer = user.post(document)
            (message,) = socket.ask(document)
            assert (answer.status_code, message["type"]) == (400, "error")
            for told in (answer.text, json.dumps(message)):
                assert "Did you mean" not in told
                assert '"data"' not in told
        assert user.execute("{ __typename viewer { userId } }")["__typename"] == "Query"


@pytest.mark.parametrize(("graphiql", "links"), [("true", ["", "graphql"]), ("false", [""])])
def test_the_links_lead_to_pages_that_are_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, graphiql: str, links: list[str]
) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("PUBLIC_URL", "http://media.test")
    monkeypatch.setenv("GRAPHIQL", graphiql)
    greeting(Settings.load())
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": http://media.test/")[2].partition("#token=")[0] for line in lines] == links
