"""The API against its own description: complete, valid, and true whatever is sent.

`FUZZ_CASES=2000 make test ARGS="tests/test_schema.py -s"` is the long form; another FUZZ_SEED sends other cases.
What the fuzzer shall not complain of stands in schemathesis.toml, with the reasons.
"""

import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from schemathesis.engine import events, from_schema

from accounts.identity.local import start_session
from accounts.models import User, UserUsage
from accounts.usage import ensure_live_subscription
from analytics.models import AuthenticationLog
from core.ids import uuid7
from core.schema import describe
from tests.test_strangers import OPEN, routes

CASES = int(os.environ.get("FUZZ_CASES", "600"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
CONFIG = Path(__file__).resolve().parent.parent / "schemathesis.toml"
# A page for people, and what answers where there is nothing.
NOT_DESCRIBED = {"api/docs/", "api/^api/"}

DOCUMENT: dict[str, Any] = describe()
OPERATIONS = {f"{method.upper()} {path}": it for path, item in DOCUMENT["paths"].items() for method, it in item.items()}
every_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def resolved(node):
    while "$ref" in node:
        target: Any = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def media_of(*bodies):
    return [media for body in bodies for media in body.get("content", {}).values()]


def examples_of(media):
    shown = [example["value"] for example in media.get("examples", {}).values()]
    return [*shown, media["example"]] if "example" in media else shown


def methods_of(pattern):
    served = getattr(pattern.callback, "cls", None)
    return [name for name in ("get", "post", "put", "patch", "delete") if served is None or hasattr(served, name)]


def test_the_description_is_valid_and_raises_no_warning(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", file=str(tmp_path / "schema.yml"))
    assert DOCUMENT["openapi"].startswith("3.1")


@pytest.mark.parametrize("route", [route for route, _ in routes() if route not in NOT_DESCRIBED])
def test_it_names_every_route_with_its_methods(route):
    pattern = dict(routes())[route]
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
    assert [method for method in methods_of(pattern) if f"{method.upper()} {path}" not in OPERATIONS] == []


def test_every_operation_has_an_id_of_its_own():
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)


@every_operation
def test_every_operation_says_what_it_is(operation):
    assert operation["summary"]
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
    assert all(resolved(answer)["description"] for answer in operation["responses"].values())


@every_operation
def test_every_answer_has_a_shape_and_every_error_the_same(operation):
    for status, answer in operation["responses"].items():
        shapes = [media["schema"] for media in media_of(resolved(answer))]
        assert "X-Request-ID" in resolved(answer)["headers"]
        if int(status) >= 400 and "health" not in operation["tags"]:
            assert shapes == [{"$ref": "#/components/schemas/Problem"}]
        else:
            assert shapes or status in {"200", "202", "204"}


@every_operation
def test_every_body_has_an_example_and_every_example_is_one(operation):
    asked = media_of(operation.get("requestBody", {}))
    assert all(examples_of(media) for media in asked)
    for media in [*asked, *media_of(*map(resolved, operation["responses"].values()))]:
        shape = {**media["schema"], "components": DOCUMENT["components"]}
        checker = jsonschema.Draft202012Validator(shape, format_checker=jsonschema.FormatChecker())
        assert [error.message for value in examples_of(media) for error in checker.iter_errors(value)] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_it_asks_for_a_token_exactly_where_one_is_needed(name):
    path, operation = name.split(" ")[1], OPERATIONS[name]
    asked = operation.get("security", [])
    if path.removeprefix("/") in OPEN or path.startswith("/health/"):
        assert asked == []
    else:
        assert {"bearer": []} in asked
        assert "401" in operation["responses"]


# Whatever is sent


@pytest.fixture
def api(settings, live_server):
    """The API, served on a port of this machine and without limits, to the fuzzer."""
    settings.THROTTLES = dict.fromkeys(settings.THROTTLES, (1_000_000, 60))
    config = schemathesis.Config.from_path(CONFIG)
    config.update(seed=SEED, max_failures=None)
    api = schemathesis.openapi.from_url(f"{live_server.url}/api/schema/", config=config)
    api.config.generation.update(max_examples=CASES // len(OPERATIONS))
    api.auth(refresh_interval=None)(SomebodyNew)
    return api


class SomebodyNew:
    """A token for each case: some cases end a session, and one its account."""

    def get(self, case, context):
        user = User.objects.create_user(f"fuzz-{uuid7()}@example.com")
        ensure_live_subscription(user)
        UserUsage.objects.create(user=user, day=timezone.now().date(), platform="x", url_lookups=3)
        AuthenticationLog.objects.create(user=user, event="login", success=True, ip="192.0.2.1")
        token = start_session(user).access
        connection.close()
        return token

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


def failures_of(event):
    checks = [check for checks in event.recorder.checks.values() for check in checks if check.failure_info]
    return [f"{event.label}: {check.failure_info.failure}\n{check.failure_info.code_sample}" for check in checks]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_it_answers_as_it_is_described_whatever_is_sent(api, capsys):
    happened = list(from_schema(api).execute())
    finished = [event for event in happened if isinstance(event, events.ScenarioFinished)]
    sent = sum(len(event.recorder.cases) for event in finished)
    with capsys.disabled():
        print(f"\n{sent} cases sent: FUZZ_CASES={CASES} FUZZ_SEED={SEED}")
    wrong = [failure for event in finished for failure in failures_of(event)]
    wrong += [str(event.value) for event in happened if isinstance(event, events.NonFatalError)]
    assert not wrong, "\n\n".join(wrong)
    assert {event.label for event in finished} == {
        name.replace(name.split()[0], name.split()[0].upper()) for name in OPERATIONS
    }
    assert sent >= CASES
