"""Clerk on loopback: its Backend API, its signing keys, its session tokens and its signed webhooks.

`python -m sandbox.clerk` runs one by itself and prints the settings that lead to it.
"""

import base64
import copy
import json
import secrets
import string
import sys
import threading
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import api_jws
from jwt.algorithms import RSAAlgorithm
from standardwebhooks import Webhook

from sandbox.control import Asked, Reply, Route, Sandbox

BREACHED = {"password", "correct horse battery staple"}
SHORTEST_PASSWORD = 8
TOKEN_SECONDS = 60
# The number of a key that no instance signs with.
STRANGER = -1
ALPHABET = string.ascii_letters + string.digits
USER = json.loads(Path(__file__).with_name("clerk_user.json").read_text())
SESSION = json.loads(Path(__file__).with_name("clerk_session.json").read_text())


class ClerkSandbox(Sandbox):
    """One Clerk instance. The public attributes are knobs."""

    def __init__(self, *, port: int = 0, host: str = "clerk.sandbox.test") -> None:
        super().__init__(port=port)
        self.issuer = f"https://{host}"
        self.publishable_key = "pk_test_" + base64.b64encode(f"{host}$".encode()).decode()
        self.secret_key = new_id("sk_test")
        self.webhook_secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        self.users: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.key_id, self.key_number = new_id("ins"), 0
        self.origin: str | None = "https://app.sandbox.test"
        self.clock_skew = 0

    def settings(self) -> dict[str, Any]:
        """The settings that lead to this instance."""
        return {
            "CLERK_API_URL": self.url,
            "CLERK_SECRET_KEY": self.secret_key,
            "CLERK_PUBLISHABLE_KEY": self.publishable_key,
            "CLERK_WEBHOOK_SECRET": self.webhook_secret,
            "CLERK_AUTHORIZED_PARTIES": [self.origin],
            "OUTBOUND_ALLOWED_HOSTS": [self.address],
        }

    # What people and operators do

    def add_user(self, email: str | None = None, *, verified: bool = True, **fields: Any) -> str:
        user = copy.deepcopy(USER) | {"id": new_id("user"), "created_at": now_ms(), "updated_at": now_ms(), **fields}
        user["email_addresses"] = [_email_address(email, verified=verified)] if email else []
        user["primary_email_address_id"] = user["email_addresses"][0]["id"] if email else None
        self.users[user["id"]] = user
        return str(user["id"])

    def change_user(self, user_id: str, **fields: Any) -> dict[str, Any]:
        user = self.users[user_id]
        # Two changes within a millisecond are two changes.
        user.update(fields, updated_at=max(now_ms(), user["updated_at"] + 1))
        return user

    def set_email(self, user_id: str, email: str, *, verified: bool = True) -> dict[str, Any]:
        address = _email_address(email, verified=verified)
        return self.change_user(user_id, email_addresses=[address], primary_email_address_id=address["id"])

    def open_session(self, user_id: str) -> str:
        session = copy.deepcopy(SESSION) | {"id": new_id("sess"), "user_id": user_id, "status": "active"}
        self.sessions[session["id"]] = session
        return str(session["id"])

    def rotate_key(self, *, key_id: str | None = None) -> None:
        """Sign with another key: under the same id, which is what Clerk does, unless a new one is given."""
        self.key_number += 1
        self.key_id = key_id or self.key_id

    @property
    def private_key(self) -> RSAPrivateKey:
        return rsa_key(self.key_number)

    @property
    def pem(self) -> str:
        return self.private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    # What it signs

    def claims(self, session_id: str) -> dict[str, Any]:
        session, now = self.sessions[session_id], int(time.time()) + self.clock_skew
        status = "pending" if session["status"] == "pending" else "active"
        claims = {"sub": session["user_id"], "sid": session_id, "iss": self.issuer, "azp": self.origin, "v": 2}
        claims |= {"iat": now, "nbf": now - 5, "exp": now + TOKEN_SECONDS, "jti": secrets.token_hex(10)}
        claims |= {"fva": [0, -1], "sts": status, "pla": "u:free", "fea": ""}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, session_id: str, **changes: Any) -> str:
        """A session token; a claim that is changed to None is left out."""
        claims = {name: value for name, value in (self.claims(session_id) | changes).items() if value is not None}
        return self.sign(claims)

    def sign(self, claims: dict[str, Any], *, headers: dict[str, Any] | None = None) -> str:
        # Not `jwt.encode`, which has an opinion about claims.
        payload = json.dumps(claims).encode()
        return api_jws.encode(payload, self.private_key, "RS256", {"kid": self.key_id, **(headers or {})})

    def forged(self, session_id: str, **headers: Any) -> str:
        """A token that is right in everything but the key."""
        payload = json.dumps(self.claims(session_id)).encode()
        return api_jws.encode(payload, rsa_key(STRANGER), "RS256", {"kid": self.key_id, **headers})

    def webhook(self, kind: str, data: dict[str, Any], *, event_id: str = "") -> tuple[bytes, dict[str, str]]:
        """The body and the headers that Svix would deliver an event with."""
        request = {"http_request": {"client_ip": "203.0.113.7", "user_agent": "Mozilla/5.0"}}
        event = {"type": kind, "object": "event", "instance_id": self.key_id, "timestamp": now_ms(), "data": data}
        body = json.dumps(event | {"event_attributes": request})
        return body.encode(), self.signature(body.encode(), event_id=event_id)

    def signature(self, body: bytes, *, event_id: str = "", at: datetime | None = None) -> dict[str, str]:
        event_id, moment = event_id or new_id("msg"), at or datetime.now(UTC)
        signature = Webhook(self.webhook_secret).sign(event_id, moment, body.decode())
        return {
            "content-type": "application/json",
            "svix-id": event_id,
            "svix-timestamp": str(int(moment.timestamp())),
            "svix-signature": signature,
        }

    # What it answers

    def refusal(self, asked: Asked) -> Reply | None:
        known = asked.headers.get("authorization") == f"Bearer {self.secret_key}"
        return None if known or not asked.path.startswith("/v1/") else problem(401, "authentication_invalid")

    def jwks(self, asked: Asked) -> Reply:
        numbers = RSAAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        key = {"use": "sig", "kty": "RSA", "kid": self.key_id, "alg": "RS256", "n": numbers["n"], "e": numbers["e"]}
        return Reply(body={"keys": [key]})

    def create_user(self, asked: Asked) -> Reply:
        form = asked.json()
        email, password = (form.get("email_address") or [""])[0], form.get("password") or ""
        if "@" not in email:
            return problem(422, "form_param_format_invalid", "email_address")
        if any(each["email_address"] == email for user in self.users.values() for each in user["email_addresses"]):
            return problem(422, "form_identifier_exists", "email_address")
        if len(password) < SHORTEST_PASSWORD:
            return problem(422, "form_password_length_too_short", "password")
        if password in BREACHED:
            return problem(422, "form_password_pwned", "password")
        verified = (form.get("email_address_identification_status") or ["verified"])[0] == "verified"
        names = {name: form.get(name) or None for name in ("first_name", "last_name")}
        return Reply(body=self.users[self.add_user(email, verified=verified, **names)])

    def get_user(self, asked: Asked, user_id: str) -> Reply:
        return Reply(body=self.users[user_id]) if user_id in self.users else problem(404, "resource_not_found")

    def update_user(self, asked: Asked, user_id: str) -> Reply:
        if user_id not in self.users:
            return problem(404, "resource_not_found")
        fields = {name: value for name, value in asked.json().items() if name in USER}
        return Reply(body=self.change_user(user_id, **fields))

    def delete_user(self, asked: Asked, user_id: str) -> Reply:
        if self.users.pop(user_id, None) is None:
            return problem(404, "resource_not_found")
        return Reply(body={"id": user_id, "object": "user", "deleted": True})

    def create_session(self, asked: Asked) -> Reply:
        user_id = asked.json().get("user_id")
        if user_id not in self.users:
            return problem(404, "resource_not_found")
        return Reply(body=self.sessions[self.open_session(user_id)])

    def revoke_session(self, asked: Asked, session_id: str) -> Reply:
        if session_id not in self.sessions:
            return problem(404, "resource_not_found")
        self.sessions[session_id].update(status="revoked", updated_at=now_ms())
        return Reply(body=self.sessions[session_id])

    def create_token(self, asked: Asked, session_id: str) -> Reply:
        if self.sessions.get(session_id, {}).get("status") not in {"active", "pending"}:
            return problem(404, "resource_not_found")
        return Reply(body={"object": "token", "jwt": self.token(session_id)})

    routes = [
        Route("jwks", "GET", r"/v1/jwks", jwks),
        Route("jwks.public", "GET", r"/\.well-known/jwks\.json", jwks),
        Route("users.create", "POST", r"/v1/users", create_user),
        Route("users.get", "GET", r"/v1/users/(\w+)", get_user),
        Route("users.update", "PATCH", r"/v1/users/(\w+)", update_user),
        Route("users.delete", "DELETE", r"/v1/users/(\w+)", delete_user),
        Route("sessions.create", "POST", r"/v1/sessions", create_session),
        Route("sessions.revoke", "POST", r"/v1/sessions/(\w+)/revoke", revoke_session),
        Route("sessions.token", "POST", r"/v1/sessions/(\w+)/tokens", create_token),
    ]


def problem(status: int, code: str, field: str = "") -> Reply:
    error = {"message": code.replace("_", " "), "long_message": code, "code": code}
    error_of_field = error | ({"meta": {"param_name": field}} if field else {})
    return Reply(status=status, body={"errors": [error_of_field], "clerk_trace_id": secrets.token_hex(16)})


def too_many(*, seconds: int) -> dict[str, Any]:
    """A fault: Clerk's answer to who calls too often."""
    reply = problem(429, "too_many_requests")
    return {"status": reply.status, "body": reply.body, "headers": {"Retry-After": str(seconds)}}


def new_id(kind: str) -> str:
    return f"{kind}_2" + "".join(secrets.choice(ALPHABET) for _ in range(26))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@cache
def rsa_key(number: int) -> RSAPrivateKey:
    """One of a few keys, made when first asked for: a tenth of a second each is a lot in a test."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def _email_address(email: str, *, verified: bool) -> dict[str, Any]:
    address = copy.deepcopy(USER["email_addresses"][0])
    proof = address["verification"] if verified else None
    return dict(address, id=new_id("idn"), email_address=email, reserved=not verified, verification=proof)


def main() -> None:
    with ClerkSandbox(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0) as clerk:
        for name, value in clerk.settings().items():
            sys.stdout.write(f"{name}={','.join(value) if isinstance(value, list) else value}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
