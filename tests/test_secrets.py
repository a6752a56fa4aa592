"""Secrets sown through every door there is, and looked for wherever anything is written down."""

import json
import logging
import re
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import orjson
import pytest
from celery import current_app
from django_celery_results.models import TaskResult
from rest_framework.test import APIClient

from accounts.models import OutgoingMail
from analysis.services import cancel, request_analysis
from analytics.models import AuthenticationLog, ExternalAPICallLog
from core import errors, http, redis
from core.queue import enqueue
from core.tests.servers import Server, reply
from logs.models import AppLog
from sandbox.clerk import ClerkSandbox
from tests.records import Records, written_down
from tests.test_workers import environment as usual_environment  # noqa: F401  (fixtures)
from tests.test_workers import start, until, worker  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
WORD = "canary"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.canary-c1nBt5AtUr3"
REQUEST_ID = "a-request-to-follow"


@pytest.fixture
def records(settings, tmp_path, monkeypatch) -> Iterator[Records]:
    settings.SPOOL_DIR = tmp_path / "spool"
    monkeypatch.setenv("SPOOL_DIR", str(settings.SPOOL_DIR))
    with written_down(settings.SPOOL_DIR) as records:
        yield records


@pytest.fixture
def environment(usual_environment):  # noqa: F811
    """Of workers that say everything."""
    return {**usual_environment, "LOG_LEVEL": "DEBUG"}


@pytest.fixture
def clerk(settings, monkeypatch) -> Iterator[ClerkSandbox]:
    """Clerk as the identity provider, here and in processes that are started."""
    with ClerkSandbox() as sandbox:
        settings.IDENTITY_PROVIDER, settings.CLERK_JWT_KEY = "clerk", ""
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
            monkeypatch.setenv(name, ",".join(value) if isinstance(value, list) else value)
        yield sandbox


def headers(number: int) -> dict[str, str]:
    return {
        "authorization": f"Bearer {WORD}-{number}a",
        "cookie": f'theme="dark"; sessionid={WORD}-{number}b',
        "x-api-key": f"{WORD}-{number}c",
        "x-csrftoken": f"{WORD}-{number}d",
        "user-agent": f"curl/8 ({WORD}{number}@example.com; token={WORD}-{number}e)",
        "referer": f"https://app.example/reset-password?uid=MQ&token={WORD}-{number}f",
        "svix-signature": f"v1,{WORD}-{number}g=",
    }


def test_headers_and_queries(records, stranger, api):
    query = f"?token={WORD}-1&api_key={WORD}-2&email={WORD}%40example.com&password={WORD}-3"
    for path in ("/api/accounts/me/", "/api/nothing/", "/api/accounts/usage/history/", "/admin/login/", "/health/"):
        stranger.get(path + query, headers=headers(1))
        api.get(path + query, headers={**headers(2), "authorization": api._credentials["HTTP_AUTHORIZATION"]})
    token = api._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    assert records.holding(WORD) == {}
    assert records.holding(token) == {}


def test_bodies_that_are_wrong(records, stranger, api):
    bodies = [
        {"email": f"{WORD}@@example", "password": f"{WORD}-1"},
        {"email": f"{WORD}@example.com", "password": [f"{WORD}-2"]},
        {"email": f"{WORD}@example.com", "password": "short", "full_name": {"token": f"{WORD}-3"}},
        {"refresh": f"{JWT}", "uid": f"{WORD}-4", "token": f"{WORD}-5"},
    ]
    for path in ("signup", "login", "token/refresh", "logout", "reset-password", "reset-password/confirm"):
        for body in bodies:
            stranger.post(f"/api/accounts/{path}/", body, format="json")
        stranger.generic("POST", f"/api/accounts/{path}/", f'{{"password": "{WORD}-6', content_type="application/json")
        stranger.post(f"/api/accounts/{path}/", {"password": f"{WORD}-7"})
    api.patch("/api/accounts/me/", {"full_name": [f"{WORD}-8"], "password": f"{WORD}-9"}, format="json")
    assert records.holding(WORD) == {}


def test_exceptions_in_a_view(records, stranger, settings):
    settings.ROOT_URLCONF = "tests.failing_urls"
    body = {"password": f"{WORD}-1", "nested": {"api_key": f"{WORD}-2", "note": JWT}}
    answer = stranger.post(f"/fail/?password={WORD}-3&token={WORD}-4", body, format="json", headers=headers(5))
    assert answer.status_code == 500
    assert "CannotServe" in records.stdout()
    assert records.holding(WORD) == {}
    assert AppLog.objects.filter(message="about_to_fail", level="WARNING").exists()
    assert "CannotServe" in AppLog.objects.get(logger="django.request").metadata["exception"]


def test_vendors_that_repeat_what_they_were_told(records, settings):
    def echo(status: int) -> Callable[[Any], None]:
        # The request as it came, as vendors like to show it, and in a sentence.
        def step(connection: Any) -> None:
            told = server.heard[-1]
            words = f"Incorrect API key provided: {WORD}-9. You sent:\n{told}"
            connection.sendall(
                reply(json.dumps({"error": words, "headers": told.splitlines()}).encode(), status=status)
            )

        return step

    server = Server(*(echo(status) for status in (401, 403, 429, 503, 503, 503)))
    settings.OUTBOUND_ALLOWED_HOSTS = [f"127.0.0.1:{server.port}"]
    for method in ("GET", "POST", "POST", "GET"):
        with suppress(errors.VendorProblem):
            http.request(
                vendor="acme", operation="posts", method=method, url=f"{server.url}?key={WORD}-1",
                params={"access_token": f"{WORD}-2", "q": "cats"},
                headers={"authorization": f"Bearer {WORD}-3", "x-api-key": f"{WORD}-4"},
                json={"password": f"{WORD}-5"} if method == "POST" else None,
            ).require_success()  # fmt: skip
    server.close()
    assert len(server.heard) >= 4
    assert records.holding(WORD) == {}
    # The rest of the vendor's words is of use.
    assert any("[redacted]" in error for error in ExternalAPICallLog.objects.values_list("error", flat=True))


def test_arguments_of_tasks(records, worker, tmp_path):  # noqa: F811
    enqueue("accounts.send_mail", f"password={WORD}-1")
    enqueue("accounts.send_mail", JWT)
    enqueue("accounts.send_mail", "nameless")
    current_app.send_task("accounts.send_mail", kwargs={"token": f"{WORD}-2", "mail_id": f"{WORD}-3"})
    current_app.send_task("accounts.no_such_task", args=[f"{WORD}-4"], kwargs={"password": f"{WORD}-5"})
    log = tmp_path / "worker.log"
    until(lambda: log.read_text().count("task_failed") >= 4 and "unregistered task" in log.read_text())
    until(lambda: TaskResult.objects.filter(task_name="accounts.send_mail", status="FAILURE").count() == 4)
    assert records.holding(WORD) == {}
    # An exception may repeat a word that nothing marks as a secret; of arguments only ids are kept.
    assert "nameless" not in "".join(TaskResult.objects.exclude(task_args=None).values_list("task_args", flat=True))
    assert AppLog.objects.filter(message="task_failed").count() == 4


def test_mails_and_their_links(records, stranger, user, worker, tmp_path):  # noqa: F811
    body = {"email": user.email}
    stranger.post("/api/accounts/reset-password/", body, format="json", headers={"x-request-id": REQUEST_ID})
    until(lambda: OutgoingMail.objects.get().sent_at)
    mail = "".join(path.read_text() for path in (tmp_path / "mails").iterdir())
    link = re.search(r"https?://\S+token=\S+", mail)[0]
    given = {name: values[0] for name, values in urllib.parse.parse_qs(urllib.parse.urlsplit(link).query).items()}
    stranger.post("/api/accounts/reset-password/confirm/", {**given, "password": "short"}, format="json")
    stranger.get(f"/api/accounts/reset-password/confirm/?{urllib.parse.urlencode(given)}")
    assert records.holding(given["token"]) == {}
    after = {**given, "password": f"{WORD} a long enough one"}
    assert stranger.post("/api/accounts/reset-password/confirm/", after, format="json").status_code == 204
    assert records.holding(given["token"]) == {}
    assert records.holding(WORD) == {}
    assert "mail_sent" in records.stdout()
    assert user.email not in records.stdout()


def test_sign_ins(records, stranger, user):
    for number in range(8):
        for email in (user.email, f"{WORD}@example.com"):
            form = {"email": email, "password": f"{WORD}-{number}"}
            stranger.post("/api/accounts/login/", form, format="json")
            stranger.post("/admin/login/", {"username": email, "password": f"{WORD}-{number}"})
    assert "sign_in_suspicious" in records.stdout()
    assert records.holding(WORD) == {}
    assert AppLog.objects.filter(category="AUTH", message="sign_in_suspicious").count() >= 2
    assert user.email not in records.stdout() + records.spools() + records.redis()


def test_tokens_of_ours(records, stranger, user):
    answer = stranger.post(
        "/api/accounts/login/", {"email": user.email, "password": "a long password"}, format="json"
    ).json()
    client = APIClient(headers={"authorization": f"Bearer {answer['access']}"})
    client.get(f"/api/accounts/me/?access={answer['access']}")
    renewed = stranger.post("/api/accounts/token/refresh/", {"refresh": answer["refresh"]}, format="json").json()
    stranger.post("/api/accounts/token/refresh/", {"refresh": answer["refresh"]}, format="json")
    client.post("/api/accounts/logout/", {"refresh": renewed["refresh"]}, format="json")
    for token in (answer["access"], answer["refresh"], renewed["access"], renewed["refresh"]):
        assert records.holding(token) == {}


def test_tickets_of_streams(records, stranger, api, user):
    request = request_analysis(user, ["https://x.com/i/status/11"])
    cancel(user, request.pk)
    events = f"/api/analysis/requests/{request.pk}/events/"
    tickets = [api.post(f"{events}ticket/").json()["ticket"] for _ in range(3)]
    the_end = {"last-event-id": "9" * 18}
    assert stranger.get(f"{events}?ticket={tickets[0]}", headers=the_end).status_code == 204
    for path in (events, f"{events}x/", "/api/accounts/me/", "/api/nothing/"):
        for ticket in tickets[:2]:
            stranger.get(f"{path}?ticket={ticket}{WORD}", headers=the_end)
            stranger.post(
                f"{path}?ticket={ticket}", headers={**the_end, "referer": f"https://a.example/?ticket={ticket}"}
            )
    assert stranger.get(f"{events}?ticket={tickets[0]}", headers=the_end).status_code == 401
    stranger.get(f"{events}?ticket={tickets[2]}", headers={**the_end, "user-agent": f"curl/8 (ticket={tickets[2]})"})
    for secret in (WORD, *tickets):
        assert records.holding(secret) == {}


def test_webhooks_and_the_keys_of_a_vendor(records, clerk, client):
    body, good = clerk.webhook("user.updated", {"id": "user_1", "password": f"{WORD}-2", "object": "user"})
    wrong = {**good, "svix-signature": f"v1,{WORD}{'a' * 37}="}
    for given in (good, wrong):
        sent = {**headers(3), **given}
        client.post("/api/accounts/webhook/clerk/", body, content_type="application/json", headers=sent)
    session = clerk.token(clerk.open_session(clerk.add_user("somebody@example.com")))
    clerk.fail("*", status=500, times=5)
    for token in (session, f"{session}{WORD}"):
        client.post("/api/accounts/login/", {"token": token}, content_type="application/json")
    secrets = [session, clerk.secret_key, clerk.webhook_secret, good["svix-signature"].removeprefix("v1,")]
    assert clerk.calls
    for secret in (WORD, *secrets):
        assert records.holding(secret) == {}


def test_one_event_is_one_line_whatever_is_sent(records, stranger, settings):
    settings.ROOT_URLCONF = "tests.failing_urls"
    forged = '\r\n2026-11-21T10:00:00Z [info     ] forged\u2028\x1b[31m{"event": "forged"}'
    body = json.dumps({"note": forged}, ensure_ascii=False).encode()
    path = "/fail/?q=" + urllib.parse.quote(forged)
    stranger.generic("POST", path, body, content_type="application/json", HTTP_USER_AGENT=forged)
    machine = records.machine.getvalue().splitlines()
    assert len(machine) >= 2
    for line in machine:
        assert orjson.loads(line)["event"] != "forged"
    for line in records.readable.getvalue().splitlines():
        assert re.match(r"2026|20\d\d-|    ", line)
        assert not re.match(r"\S+ \[\w+ *\] forged", line)
    assert "\x1b" not in records.stdout()
    records.ship()
    assert AppLog.objects.filter(message="about_to_fail").count() == 1


def test_one_id_ties_the_request_the_task_the_vendor_and_the_log_together(
    records,
    clerk,
    stranger,
    worker,  # noqa: F811
    tmp_path,
):
    """An account is erased: the task of that request asks Clerk, which is broken."""
    log = tmp_path / "worker.log"
    token = clerk.token(clerk.open_session(clerk.add_user("ana@example.com")))
    clerk.fail("users.delete", status=500, times=100)
    known = {"authorization": f"Bearer {token}", "x-request-id": REQUEST_ID}
    assert stranger.delete("/api/accounts/me/", headers=known).status_code == 202
    until(lambda: records.ship() or AppLog.objects.filter(message="erasure_waits").exists())
    row = AppLog.objects.filter(message="erasure_waits").first()
    assert (row.request_id, row.metadata["code"]) == (REQUEST_ID, "vendor_unavailable")
    calls = ExternalAPICallLog.objects.filter(vendor="clerk", request_id=REQUEST_ID)
    assert {"users.delete"} <= set(calls.values_list("operation", flat=True))
    lines = [line for line in log.read_text().splitlines() if f"task_id={row.task_id}" in line]
    assert any("vendor_call" in line and f"request_id={REQUEST_ID}" in line for line in lines)
    assert token not in "".join(records.all().values())


def test_the_walk_finds_what_is_there(records, user):
    """A search that finds nothing proves something only if it can find."""
    AuthenticationLog.objects.create(user=user, event="login", success=True, user_agent=f"{WORD}-1")
    redis.client().hset("somewhere", "field", f"{WORD}-2")
    logging.getLogger("x").warning("what is called %s is no secret", WORD)
    assert set(records.holding(WORD)) == {"stdout", "spools", "tables", "redis"}
