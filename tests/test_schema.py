"""The API against its own description: complete, valid, and true whatever is sent.

`FUZZ_CASES=2000 make test ARGS="tests/test_schema.py -s"` is the long form; another FUZZ_SEED sends other cases.
What the fuzzer shall not complain of stands in schemathesis.toml, with the reasons.
"""

import os
import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.signals import request_started
from django.db import close_old_connections
from django.utils import timezone

from accounts.identity import identity
from accounts.identity.local import start_session
from accounts.models import User, UserUsage
from accounts.usage import ensure_live_subscription
from analysis.tests.fakes import make_request
from analytics.models import AuthenticationLog
from core.ids import uuid7
from core.schema import describe
from tests.test_strangers import OPEN, routes

CASES = int(os.environ.get("FUZZ_CASES", "100"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
CONFIG = Path(__file__).resolve().parent.parent / "schemathesis.toml"
ENDS_A_SESSION = {"POST /api/accounts/logout/", "DELETE /api/accounts/me/"}
# Pages for people, and what answers where there is nothing.
NOT_DESCRIBED = {
    "api/docs/", "api/^api/", "api/social/webhook/brightdata/<str:token>/",
    "api/billing/subscription/success/", "api/billing/subscription/cancel/",
}  # fmt: skip

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
    assert "\n" not in operation["summary"]
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

config = schemathesis.Config.from_path(CONFIG)
config.update(seed=SEED, max_failures=None)
described = schemathesis.openapi.from_dict(DOCUMENT, config=config)
described.app = WSGIHandler()
# For each operation, besides the edges that the description names. Every case goes out with a good token.
described.config.generation.update(max_examples=CASES // 10, with_security_parameters=False)
sent: Counter[str] = Counter()


def somebody_new():
    user = User.objects.create_user(f"fuzz-{uuid7()}@example.com")
    ensure_live_subscription(user)
    UserUsage.objects.create(user=user, day=timezone.now().date(), platform="x", url_lookups=3)
    AuthenticationLog.objects.create(user=user, event="login", success=True, ip="192.0.2.1")
    return start_session(user).access


@cache
def somebody(operation):
    return somebody_new()


def with_own_ids(case, token):
    """Ids that a description makes up lead nowhere: every other case is about a row of the caller's own."""
    if not {"request_id", "post_analysis_id"} & {*case.path_parameters} or not case.meta.generation.mode.is_positive:
        return
    if sent[case.operation.label] % 2 and not case.path.endswith("/events/"):
        request, [post] = make_request(identity().principal(token).user, stage="collect")
        own = {"request_id": str(request.pk), "post_analysis_id": str(post.pk)}
        case.path_parameters = {name: own[name] for name in case.path_parameters}


@pytest.fixture
def _at_leisure(settings):
    """No limits, and a request does not close the connection that holds the test's transaction."""
    settings.THROTTLES = dict.fromkeys(settings.THROTTLES, (1_000_000, 60))
    request_started.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    sys.stdout.write(f"{sent.total()} cases so far, with FUZZ_CASES={CASES} FUZZ_SEED={SEED}\n")


@described.parametrize()
@pytest.mark.usefixtures("_at_leisure")
@pytest.mark.django_db
def test_it_answers_as_it_is_described(case):
    operation = case.operation.label
    sent[operation] += 1
    token = somebody_new() if operation in ENDS_A_SESSION else somebody(operation)
    with_own_ids(case, token)
    answer = case.call_and_validate(headers={"Authorization": f"Bearer {token}"})
    # Else nothing behind the door would have been tried.
    assert answer.status_code != 401 or "security" not in OPERATIONS[operation]


# What no description foresees

LOGIN, ME, HISTORY = "/api/accounts/login/", "/api/accounts/me/", "/api/accounts/usage/history/"
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY", "made-up")
CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}


def is_problem(answer, *statuses):
    shape = {"error", "code", "details", "request_id"}
    # An answer to HEAD has no body.
    return answer.status_code in statuses and (not answer.content or set(answer.json()) == shape)


@pytest.mark.parametrize("path", sorted({name.split(" ")[1] for name in OPERATIONS} | {"/api/docs/"}))
def test_a_method_is_served_or_refused_in_the_same_shape(path, api):
    # Of nobody's row: what is served there is refused as missing. And who pays for nothing has nothing to cancel.
    refused = (400, 401, 404, 405) if "{" in path else (400, 401, 405, 409)
    path = re.sub(r"\{\w+\}", str(uuid7()), path)
    answers = [api.generic(method, path, b"{}", content_type="application/json") for method in METHODS]
    assert all(answer.status_code < 300 or is_problem(answer, *refused) for answer in answers)
    assert all(answer["X-Request-ID"] for answer in answers)


@pytest.mark.parametrize("rest", ["x", "x/", "%00", "%ff%fe/", "é/", "../", "/", ";a=b", "." * 5000])
def test_nothing_is_found_behind_a_path(rest, api):
    answers = [api.generic(method, ME + rest, b"{}", content_type="application/json") for method in METHODS]
    assert all(is_problem(answer, 404) for answer in answers)


@pytest.mark.parametrize("header", ["HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD"])
def test_a_method_cannot_be_overridden(header, api, user):
    assert is_problem(api.post(ME, {"_method": "DELETE"}, format="json", **{header: "DELETE"}), 405)
    assert api.get(f"{ME}?_method=DELETE", **{header: "DELETE"}).status_code == 200
    assert User.objects.get().is_active


@pytest.mark.parametrize(
    "query", ["platform=%00", "cursor=%00", "platform=%ff", "from=20261101", "to=2026-W01-1", "page_size=", "from=None"]
)
def test_a_query_that_cannot_be_read_is_refused(query, api):
    assert is_problem(api.get(f"{HISTORY}?{query}"), 400)


def test_a_query_of_too_many_parts_is_refused(stranger):
    query = "&".join(f"part{number}=1" for number in range(1001))
    assert is_problem(stranger.get(f"/api/accounts/plans/?{query}"), 400)


def test_a_body_without_a_length_is_refused_and_not_taken_for_an_empty_one(api):
    answer = api.generic("PATCH", ME, b'{"full_name": "Ana"}', content_type="application/json", **CHUNKED)
    assert is_problem(answer, 411)


@pytest.mark.parametrize(
    "body",
    [
        {"full_name": 5}, {"full_name": True}, {"full_name": "a\x00"}, {"full_name": " " * 151}, {"full_name": ["a"]},
        {"profile_image": "https://a.example/ü"}, {"profile_image": "https://a.example/%zz"},
        {"profile_image": "ftp://a.example/"}, {"profile_image": "https://a.example/\n"}, {"profile_image": "//a"},
    ],
)  # fmt: skip
def test_a_text_is_a_text_and_an_address_an_address(body, api):
    assert is_problem(api.patch(ME, body, format="json"), 400)


def test_what_is_not_described_is_ignored(api):
    assert api.patch(ME, {"is_staff": True, "a\x00": {"b": "\x00"}}, format="json").status_code == 200


@pytest.mark.parametrize("kind", ["application/json; charset=utf-16", "application/json;;=;", "Application/JSON"])
def test_a_body_is_utf_8_whatever_its_kind_says(kind, stranger, db):
    body = '{"email": "a", "password": "b"}'
    assert is_problem(stranger.generic("POST", LOGIN, body.encode(), content_type=kind), 401)
    assert is_problem(stranger.generic("POST", LOGIN, body.encode("utf-16"), content_type=kind), 400)
