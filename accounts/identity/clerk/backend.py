"""Calls to Clerk's Backend API: https://clerk.com/docs/reference/backend-api"""

from typing import Any

from django.conf import settings

from accounts.identity.clerk.people import Person, person_of
from core import http
from core.errors import NotConfigured
from core.http import Answer

API_VERSION = "2025-11-10"
TIMEOUT = 5.0


def call(operation: str, *, method: str = "GET", path: str, json: Any = None, timeout: float = TIMEOUT) -> Answer:
    if not settings.CLERK_SECRET_KEY:
        raise NotConfigured
    headers = {"authorization": f"Bearer {settings.CLERK_SECRET_KEY}", "clerk-api-version": API_VERSION}
    url = f"{settings.CLERK_API_URL}/v1{path}"
    return http.request(
        vendor="clerk", operation=operation, method=method, url=url, headers=headers, json=json, timeout=timeout
    )


def read_person(provider_id: str, *, timeout: float = TIMEOUT) -> Person | None:
    """What Clerk knows of a user, or None where it knows none."""
    answer = call("users.get", path=f"/users/{provider_id}", timeout=timeout)
    return None if answer.status == 404 else person_of(answer.require_success().json())


def create_user(details: dict[str, Any]) -> Answer:
    return call("users.create", method="POST", path="/users", json=details)


def revoke_session(session_key: str) -> None:
    answer = call("sessions.revoke", method="POST", path=f"/sessions/{session_key}/revoke", timeout=3.0)
    # It has ended already, which is all that was wanted.
    if answer.status not in {400, 404}:
        answer.require_success()


def delete_user(provider_id: str) -> None:
    answer = call("users.delete", method="DELETE", path=f"/users/{provider_id}")
    if answer.status != 404:
        answer.require_success()
