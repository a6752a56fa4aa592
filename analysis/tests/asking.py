"""Asking over HTTP, and holding an answer against what /api/schema/ says of it."""

from typing import Any

import jsonschema
from rest_framework.test import APIClient

from core.schema import describe

BASE = "/api/analysis"
URL, SECOND = "https://x.com/i/status/11", "https://x.com/i/status/12"
TUBE = "https://youtu.be/WhyralDmo0A"
DESCRIBED = {
    f"{BASE}/analyze/": ("post", "202"), f"{BASE}/quote/": ("post", "200"), f"{BASE}/requests/": ("get", "200"),
    f"{BASE}/requests/{{request_id}}/": ("get", "200"), f"{BASE}/requests/{{request_id}}/history/": ("get", "200"),
    f"{BASE}/posts/{{post_analysis_id}}/": ("get", "200"),
    "/api/social/posts/analysis/{request_id}/": ("get", "200"),
    f"{BASE}/requests/{{request_id}}/events/ticket/": ("post", "201"),
}  # fmt: skip


def ask(api: APIClient, *urls: str, **headers: str) -> Any:
    return api.post(f"{BASE}/analyze/", {"post_urls": urls}, format="json", headers=headers)


def holds_what_is_described(answer: Any, path: str) -> Any:
    """The answer, if it is of the shape that /api/schema/ shows."""
    method, status = DESCRIBED[path]
    document = describe()
    shape = document["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
    checker = jsonschema.FormatChecker()
    jsonschema.Draft202012Validator({**shape, "components": document["components"]}, format_checker=checker).validate(
        answer.json()
    )
    assert str(answer.status_code) == status
    return answer.json()
