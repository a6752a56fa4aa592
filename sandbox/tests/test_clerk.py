"""The sandbox's Clerk keeps to the protocol it stands for, and does what it is told."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import jwt
import pytest
from standardwebhooks import Webhook

from sandbox.clerk import ClerkSandbox, too_many


@pytest.fixture
def clerk() -> Iterator[ClerkSandbox]:
    with ClerkSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def backend(clerk: ClerkSandbox) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {clerk.secret_key}"}
    with httpx.Client(base_url=clerk.url, headers=headers, timeout=5, trust_env=False) as client:
        yield client


def test_its_tokens_verify_with_the_keys_it_publishes(clerk, backend):
    user = backend.post("/v1/users", json={"email_address": ["a@example.com"], "password": "long enough"}).json()
    session = backend.post("/v1/sessions", json={"user_id": user["id"]}).json()
    token = backend.post(f"/v1/sessions/{session['id']}/tokens").json()["jwt"]
    for path in ("/v1/jwks", "/.well-known/jwks.json"):
        key = jwt.PyJWKSet.from_dict(backend.get(path).json())[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key, algorithms=["RS256"], issuer=clerk.issuer)
        assert (claims["sub"], claims["sid"]) == (user["id"], session["id"])


def test_it_refuses_whoever_has_no_key(clerk):
    refused = httpx.get(f"{clerk.url}/v1/jwks", trust_env=False)
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["code"] == "authentication_invalid"


@pytest.mark.parametrize(
    ("form", "code", "field"),
    [
        (
            {"email_address": ["taken@example.com"], "password": "long enough"},
            "form_identifier_exists",
            "email_address",
        ),
        ({"email_address": ["b@example.com"], "password": "short"}, "form_password_length_too_short", "password"),
        ({"email_address": ["b@example.com"], "password": "password"}, "form_password_pwned", "password"),
        ({"email_address": ["nobody"], "password": "long enough"}, "form_param_format_invalid", "email_address"),
    ],
)
def test_it_complains_of_a_form_as_clerk_does(clerk, backend, form, code, field):
    clerk.add_user("taken@example.com")
    answer = backend.post("/v1/users", json=form)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == code
    assert answer.json()["errors"][0]["meta"] == {"param_name": field}


def test_a_reserved_address_is_not_verified(backend):
    form = {"email_address": ["a@example.com"], "password": "long enough"}
    status = {"email_address_identification_status": ["reserved"]}
    assert backend.post("/v1/users", json=form | status).json()["email_addresses"][0]["verification"] is None


def test_it_signs_webhooks_as_svix_does(clerk):
    body, headers = clerk.webhook("user.created", {"id": "user_1"})
    renamed = {name.replace("svix-", "webhook-"): value for name, value in headers.items()}
    assert Webhook(clerk.webhook_secret).verify(body, renamed)["data"] == {"id": "user_1"}
    clerk.webhook_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    known = b'{"type":"ping","timestamp":"2026-01-01T00:00:00Z","data":{"n":1}}'
    signature = clerk.signature(known, event_id="msg_vec1", at=datetime.fromtimestamp(1767225600, UTC))
    assert signature["svix-signature"] == "v1,mx/azj3Vp2DXJhUrVArdBDtrS8YBW2MM8AnnU3BW5XY="


def test_another_process_scripts_its_faults_and_reads_its_calls(clerk, backend):
    fault = {"operation": "jwks", "times": 2, **too_many(seconds=7)}
    backend.post("/_control/faults", json=fault)
    statuses = [backend.get("/v1/jwks").status_code for _ in range(3)]
    assert statuses == [429, 429, 200]
    assert backend.get("/_control/calls").json()["counts"] == {"jwks": 3}
    backend.delete("/_control")
    assert clerk.calls == []


def test_it_can_be_gone_and_come_back_where_it_was(clerk, backend):
    assert backend.get("/v1/jwks").status_code == 200
    clerk.stop()
    with pytest.raises(httpx.TransportError):
        backend.get("/v1/jwks")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", clerk.port), 1)
    clerk.start()
    assert backend.get("/v1/jwks").status_code == 200


def test_it_hangs_until_it_is_let_go_and_drops_connections(clerk, backend):
    clerk.fail("jwks", delay=30)
    clerk.fail("users.get", drop=True)
    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(backend.get, "/v1/jwks")
        _wait_until(lambda: clerk.count("jwks") == 1)
        with pytest.raises(httpx.RemoteProtocolError):
            backend.get("/v1/users/user_1")
        assert not hanging.done()
        begun = time.monotonic()
        clerk.reset()
        with pytest.raises(httpx.RemoteProtocolError):
            hanging.result()
        assert time.monotonic() - begun < 5


def _wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)
