"""What may be written down, and what may not."""

import time
import tracemalloc
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from core.redaction import LARGEST, LONGEST_TEXT, MARK, redacted, redacted_lines

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

NAMES = [
    "authorization", "Authorization", "HTTP_AUTHORIZATION", "proxy-authorization", "cookie", "Set-Cookie", "password",
    "password_confirm", "new_password", "passwd", "passphrase", "secret", "client_secret", "SECRET_KEY", "token",
    "ticket", "access", "refresh", "access_token", "accessToken", "id_token", "api_key", "apiKey", "x-api-key", "key",
    "private_key", "signature", "svix-id", "svix-signature", "webhook-signature", "Stripe-Signature", "dsn",
    "SENTRY_DSN", "session", "sessionid", "session_key", "csrftoken", "csrfmiddlewaretoken", "X-CSRFToken", "jwt",
    "otp", "pass", "pin", "auth", "token_value", "id_token_hint", "client_assertion",
    "verification_code", "email", "user_email", "e-mail", "body", "html", "credentials",
]  # fmt: skip
HARMLESS_NAMES = [
    "routing_key", "idempotency_key", "cache_key", "keyword", "chat_session_id", "author", "prompt_version", "code",
    "error_code", "tokenizer", "message", "description", "status", "accessed_at", "www_authenticate", "task",
]  # fmt: skip

SHAPES = {
    "bearer": ("Authorization: Bearer s3cr3t", "s3cr3t"),
    "bearer alone": ("refused Bearer abcdefgh", "abcdefgh"),
    "basic": ("refused Basic dXNlcjpodW50ZXI=", "dXNlcjpodW50ZXI="),
    "jwt": (f"cannot read {JWT} at all", JWT[4:]),
    "half a jwt": (f"cannot read {JWT[:60]}", JWT[10:60]),
    "stripe": ("Invalid API Key provided: sk_live_4eC39HqLyjWDar", "4eC39HqLyjWDar"),
    "vendor that names no shape": ("Incorrect API key provided: abcdef", "abcdef"),
    "webhook secret": ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqr"),
    "google": ("AIzaSyD4l9kXo2hunter2", "SyD4l9kXo2"),
    "github": ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "16C7e42F"),
    "openai": ("sk-proj-abcdefghijklmnop", "abcdefghijklmnop"),
    "user and password in an address": ("postgresql://ana:hun/ter@db.example/x", "hun/ter"),
    "slash in the password of a database": ("postgresql://ana:123/hun@ter@db.example/x", "123/hun@ter"),
    "password with an at": ("redis://:p@ss@cache.example/0", "p@ss"),
    "sentry": ("https://0123abcd@o1.ingest.sentry.io/2", "0123abcd"),
    "link in a mail": ("https://app.example/reset-password?uid=MQ&token=c3-99ab", "c3-99ab"),
    "ticket of a stream": ("GET /api/analysis/requests/7/events/?ticket=pZ1fab", "pZ1fab"),
    "ticket in json": ('{"ticket": "pZ1fab"}', "pZ1fab"),
    "query": ("GET /x?api_key=hunter2&q=cats", "hunter2"),
    "query with a signature": ("https://b.example/f?X-Amz-Signature=abc&x=1", "=abc"),
    "oauth code": ("/callback?code=hunter2", "hunter2"),
    "words": ("login failed: password=hunter2", "hunter2"),
    "more words": ("the password: hunter2", "hunter2"),
    "python": ("{'password': 'two words', 'n': 1}", "two words"),
    "query dict": ("<QueryDict: {'password': ['hunter2']}>", "hunter2"),
    "json": ('{"password":"with \\" quote","n":1}', "quote"),
    "json in a string": ('"{\\"token\\": \\"hunter2\\"}"', "hunter2"),
    "short token in json": ('{"access": "abc"}', "abc"),
    "header": ("x-api-key: hunter2", "hunter2"),
    "headers of asgi": ("[(b'authorization', b'Bearer hunter2'), (b'accept', b'*/*')]", "hunter2"),
    "cookies to the end of the line": ('Cookie: a="b"; sessionid=hunter2; c=d', "hunter2"),
    "signature with commas": ("stripe-signature: t=1,v1=5257a869", "5257a869"),
    "session": ("sessionid=0123456789abcdef0123456789abcdef", "0123456789abcdef"),
    "long key": ("key=9f86d081884c7d659a2feaa0c55ad015", "9f86d081"),
    "password hash": ("(1, argon2$argon2id$v=19$m=102400,t=2$c29tZXNhbHQ$hash, ana)", "102400"),
    "pem": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----", "MIIEpAIB"),
    "mail address": ("no such user: ana.b+c@mail.example.com.", "ana"),
    "mail address in a query": ("?to=ana%40example.com", "ana"),
    "postgres": ("Key (email)=(ana@example.com) already exists.", "ana"),
    "celery": ("The full contents of the message body was:\n[['hunter2'], {}, {}]", "hunter2"),
}

UNTOUCHED = [
    "the token expired", "this ticket was used", "GET /api/analysis/requests/<uuid:pk>/events/ticket/",
    "Basic authentication is off", "Bearer token missing", "invalid token: expired",
    "This password is too short.", "the secret is safe", "a cookie was set", "no access: ask the owner", "key=value",
    "0197a1b2-0000-7000-8000-000000000000", "request_id=0197a1b2-0000-7000-8000-000000000000",
    "prompt_version=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "GET /api/analysis/requests/<uuid:pk>/events/", "http://localhost:8000/@handle", "https://youtube.com/@MrBeast.tv",
    "https://x.com/ana/status/1234567890?s=20&keyword=cats", "max_tokens=300, input_tokens: 1200",
    "routing_key=default",
    "threads@worker-1: ready", "KeyError: 'token'", "Task accounts.send_mail[0197a1b2] succeeded in 0.1s",
    "signed up", "ask-for-help-and-get-it-now", "2026-11-21T10:58:25.123456Z", "päper — naïve ✓", "50% of keys: 3",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_value_goes_by_its_name(name):
    assert redacted({name: "two words"}) == {name: MARK}
    assert redacted({name: ["a", {"b": "c"}]}) == {name: MARK}


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_name_that_only_sounds_like_it_stays(name):
    assert redacted({name: "two words"}) == {name: "two words"}


def test_a_count_or_a_flag_under_a_telling_name_stays_but_a_password_of_digits_goes():
    counts = {"input_tokens": 1200, "email": True, "access": None, "key": 0, "token": ""}
    assert redacted(counts) == counts
    assert redacted({"password": 12345678}) == {"password": MARK}


@pytest.mark.parametrize(("text", "secret"), SHAPES.values(), ids=SHAPES)
def test_a_text_goes_by_its_shape(text, secret):
    assert secret not in redacted(text)
    assert secret not in redacted({"message": f"before\n{text} "})["message"]
    assert secret not in redacted_lines(f"before\n{text}\nafter")
    assert MARK in redacted(text)


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_is_no_secret_stays_as_it_is(text):
    assert redacted(text) == text


@pytest.mark.parametrize("text", [text for text, _ in SHAPES.values()])
def test_doing_it_twice_changes_nothing_more(text):
    assert redacted(redacted(text)) == redacted(text)


def test_the_rest_of_a_text_stays_readable():
    assert redacted("GET /reset?uid=MQ&token=c1-99") == "GET /reset?uid=MQ&token=[redacted]"
    assert redacted("{'password': 'x y', 'n': 1}") == "{'password': '[redacted]', 'n': 1}"
    assert redacted("refused by ana@example.com") == "refused by [redacted]@example.com"


def test_one_event_stays_one_line():
    written = redacted({"path": "/a\r\nfake line\x1b[31m\x00\u2028\u202e\x85", "na\nme": "x"})
    assert written == {"path": r"/a\r\nfake line\x1b[31m\x00\u2028\u202e\x85", r"na\nme": "x"}
    assert redacted("half a pair \ud800") == r"half a pair \ud800"
    assert redacted_lines("one\r\ntwo\x1b[31m") == "one\ntwo\\x1b[31m"


def test_it_makes_plain_data_of_anything():
    class Spiteful:
        def __str__(self):
            raise RuntimeError("no")

    given = {
        "id": UUID(int=7), "price": Decimal("1.50"), "path": Path("/tmp"), "bytes": b"\xffpassword=x", 3: (1, {2}),  # noqa: S108
        "error": ValueError("token=abcdefgh1"), "spiteful": Spiteful(), "huge": 10**5000, "none": None,
    }  # fmt: skip
    assert redacted(given) == {
        "id": str(UUID(int=7)), "price": "1.50", "path": "/tmp", "bytes": f"\N{REPLACEMENT CHARACTER}password={MARK}",  # noqa: S108
        "3": [1, [2]], "error": f"ValueError: token={MARK}", "spiteful": "[unreadable Spiteful]",
        "huge": "[large number]", "none": None,
    }  # fmt: skip


def test_it_is_bounded_however_much_it_is_given():
    endless: dict = {}
    endless["again"] = [endless] * 1000
    for value in ("x " * 10**6, ["y" * 1000] * 10**5, {str(n): "z" * 100 for n in range(10**5)}, endless):
        start = time.perf_counter()
        assert len(str(redacted(value))) < 2 * LARGEST
        assert time.perf_counter() - start < 2
    assert len(redacted("a word " * 10_000)) <= LONGEST_TEXT + 10


def test_what_is_cut_off_leaves_no_half_of_a_secret():
    long = "x " * 15_990 + "postgresql://ana:hunter2hunter2hunter2@db/x"
    for end in range(32_000 - 30, 32_020):
        assert "hunter2" not in redacted(long[-end:] + "y" * 40)


@pytest.mark.parametrize(
    "evil",
    ["a", "://a:", "password=", "eyJ", "password='", "a@", "a.a@a.", "cookie:", "&token", "token=.", "\\", "&a.a_",
     "message body was ", "-----BEGIN PRIVATE KEY-----", "Basic =", "'key','", "secret-", "sk-", "csrf-_"],
)  # fmt: skip
def test_no_text_makes_it_slow(evil):
    text = (evil * 32_000)[:32_000]
    start = time.process_time()
    redacted(text)
    assert time.process_time() - start < 0.5


def test_it_remembers_short_texts_only_and_not_too_many():
    tracemalloc.start()
    for number in range(20_000):
        redacted({f"name{number}x": f"value {number}"})
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 4_000_000


@pytest.mark.parametrize("name", ["x-api-key", "Authorization", b"cookie", "password"])
@pytest.mark.parametrize("kind", [tuple, list])
def test_a_header_in_a_list_is_a_name_and_a_value(name, kind):
    assert "hunter2" not in str(redacted([kind((name, "hunter2")), kind(("accept", "json"))]))
    assert "json" in str(redacted([kind((name, "hunter2")), kind(("accept", "json"))]))


def test_a_name_in_bytes_is_a_name():
    assert redacted({b"token": "hunter2"}) == {"token": MARK}
