"""How every endpoint answers what it cannot accept."""

import pytest
from django.test import Client

LOGIN = "/api/accounts/login/"


def send(client, body, content_type="application/json", path=LOGIN):
    return client.generic("POST", path, body, content_type=content_type)


@pytest.fixture
def client(db):
    return Client(raise_request_exception=False)


BODIES = {
    "empty": b"",
    "cut off": b'{"email": "a',
    "not JSON": b"email=a",
    "too deep": b"[" * 5000 + b"]" * 5000,
    "NUL escaped": b'{"email": "a\\u0000@b.de", "password": "x"}',
    "NUL raw": b'{"email": "a\x00@b.de", "password": "x"}',
    "NUL in a key": b'{"a\\u0000": 1}',
    "lone surrogate": b'{"email": "\\ud800", "password": "x"}',
    "not UTF-8": b'{"email": "\xff\xfe"}',
    "NaN": b'{"email": NaN, "password": "x"}',
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "wrong types": b'{"email": {"a": 1}, "password": [1]}',
    "a huge number": b'{"email": 1' + b"0" * 5000 + b', "password": "x"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_not_what_it_should_be_is_a_400(client, body):
    answer = send(client, body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "code", "details", "request_id"}


def test_a_body_that_is_too_large_is_a_413(client, settings):
    answer = send(client, b'{"email": "' + b"a" * settings.MAX_BODY_BYTES + b'"}')
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_of_another_kind_is_a_415(client, kind):
    assert send(client, b"email=a", kind).status_code == 415


def test_a_method_that_is_not_served_is_a_405(client):
    answer = client.put(LOGIN, {}, content_type="application/json")
    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"
    assert "POST" in answer["Allow"]


@pytest.mark.parametrize("path", ["/api/nothing/", "/api/accounts/me", "/api/accounts/%00/", "/api/"])
def test_an_address_that_is_none_is_a_404_in_the_same_shape(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_an_accept_header_does_not_matter(client):
    assert client.get("/api/accounts/plans/", HTTP_ACCEPT="text/html").json()["results"]


def test_every_answer_carries_a_request_id(client):
    answer = client.get("/api/accounts/me/")
    assert answer.json()["request_id"] == answer["X-Request-ID"]


def test_a_sane_request_id_is_kept(client):
    assert client.get("/health/live/", HTTP_X_REQUEST_ID="trace-12345678")["X-Request-ID"] == "trace-12345678"


@pytest.mark.parametrize("offered", ["short", "a" * 65, "x y z 1 2 3", "a\r\nSet-Cookie: b", "<script>alert</script>"])
def test_another_request_id_is_replaced(client, offered):
    assert client.get("/health/live/", HTTP_X_REQUEST_ID=offered)["X-Request-ID"] != offered


def test_a_browser_of_another_origin_may_read_the_answer_only_where_it_is_allowed(client, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
    settings.CORS_ALLOWED_ORIGIN_REGEXES = []
    allowed = client.get("/api/accounts/plans/", HTTP_ORIGIN="https://app.example.com")
    refused = client.get("/api/accounts/plans/", HTTP_ORIGIN="https://evil.example.com")
    assert allowed["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "RateLimit-Limit" in allowed["Access-Control-Expose-Headers"].split(", ")
    assert not refused.has_header("Access-Control-Allow-Origin")
