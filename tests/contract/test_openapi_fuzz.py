"""Requests made up from /openapi.json, right and wrong ones: every answer is one that the page describes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from domain.values import TaskStatus
from tests.rest import AUTH, PREFIX, Rest, User, running_rest
from tests.rest_paths import PATHS, Path, Shelf, a_shelf, put

EXAMPLES = 200 if os.environ.get("TEST_LONG") else 6  # of each kind, for each path in each mode
RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    ignored_auth,
]
reproducibly = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", params=[False, True], ids=["http statuses", "envelope only"])
def rest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rest]:
    with running_rest(tmp_path_factory.mktemp("rest"), rest_envelope_only=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def described(rest: Rest) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{rest.http.base_url}/openapi.json")


@pytest.fixture
def user(rest: Rest) -> User:
    return rest.user()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
@pytest.mark.parametrize("mode", [RIGHT, WRONG], ids=lambda mode: mode.value)
def test_answers_are_as_described(
    rest: Rest, described: schemathesis.BaseSchema, user: User, *, path: Path, mode: GenerationMode
) -> None:
    requested = described[PREFIX + path.path][path.method].as_strategy(mode)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {AUTH.make_development_token(user.id, 30)}"

    @seed(20250614)
    @reproducibly
    @given(case=requested, known=st.booleans(), state=st.sampled_from(TaskStatus))
    def check(case: Case[Any], known: bool, state: TaskStatus) -> None:
        if known:
            shelf = put(rest, a_shelf(user, {"status": state}, video=path.video))
            aim(case, path, shelf, mode)
        response = case.call(session=session)
        case.validate_response(response, checks=CHECKS, transport_kwargs={"session": session})

    check()


def aim(case: Case[Any], path: Path, shelf: Shelf, mode: GenerationMode) -> None:
    """At rows that are there: what is made up seldom gets beyond the first rule."""
    ids = {"task_id": shelf.task.id, "failure_id": shelf.failure.id, "video_id": shelf.task.video_id}
    case.path_parameters = {name: str(ids[name]) for name in case.path_parameters or {}}
    if mode is RIGHT and path.json and isinstance(case.body, dict):
        case.body = case.body | path.json(shelf)
    if mode is RIGHT and "wait" in (case.query or {}):
        case.query["wait"] = 0.1
