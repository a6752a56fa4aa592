"""Webhook signatures, against the official vectors and against what a stranger might send."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NotConfigured, Problem, TooLarge
from core.webhooks import LARGEST_BODY, Delivery, ForgedWebhook, MalformedWebhook, sign, verify

VECTORS = json.loads((Path(__file__).parent / "data" / "standard_webhooks_vectors.json").read_text())
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLDER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = '{"type":"user.created","data":{"name":"Zoë"}}'.encode()


def signed(body: bytes = BODY, **changes: Any) -> dict[str, str]:
    return sign(body, **{"secret": SECRET, "delivery_id": "msg_1", "sent_at": datetime.now(UTC), **changes})


def check(headers: Mapping[str, str], body: bytes = BODY, secrets: Any = (SECRET,)) -> Delivery:
    return verify(body, headers, secrets=secrets)


@pytest.mark.parametrize("vector", VECTORS["positive"], ids=lambda vector: vector["name"])
def test_it_signs_as_the_official_vectors_do(vector: dict[str, Any]) -> None:
    sent_at = datetime.fromtimestamp(vector["webhook-timestamp"], UTC)
    body = vector["payload"].encode()
    headers = sign(body, secret=vector["secret"], delivery_id=vector["webhook-id"], sent_at=sent_at)
    assert headers == {
        "webhook-id": vector["webhook-id"],
        "webhook-timestamp": str(vector["webhook-timestamp"]),
        "webhook-signature": vector["expected_signature"],
    }


@pytest.mark.parametrize("vector", VECTORS["positive"], ids=lambda vector: vector["name"])
def test_it_refuses_the_official_vectors_themselves_for_their_age(vector: dict[str, Any]) -> None:
    headers = {name: str(vector[name]) for name in ("webhook-id", "webhook-timestamp")}
    with pytest.raises(ForgedWebhook):
        check(headers | {"webhook-signature": vector["expected_signature"]}, vector["payload"].encode())


# Made by two other implementations, which agreed.
VECTOR = {
    "secret": SECRET, "webhook-id": "msg_vec1", "webhook-timestamp": 1_767_225_600,
    "payload": '{"type":"ping","timestamp":"2026-01-01T00:00:00Z","data":{"n":1}}',
    "expected_signature": "v1,mx/azj3Vp2DXJhUrVArdBDtrS8YBW2MM8AnnU3BW5XY=",
}  # fmt: skip


@pytest.mark.parametrize("late", [-300, 0, 300])
@pytest.mark.parametrize("vector", [*VECTORS["positive"], VECTOR], ids=lambda vector: vector["webhook-id"])
def test_it_takes_the_vectors_of_others_at_their_time(
    vector: dict[str, Any], late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, body = vector["webhook-timestamp"], vector["payload"].encode()
    headers = {"webhook-id": vector["webhook-id"], "webhook-timestamp": str(sent)}
    headers["webhook-signature"] = vector["expected_signature"]
    monkeypatch.setattr(time, "time", lambda: float(sent + late))
    assert check(headers, body, [vector["secret"]]) == Delivery(vector["webhook-id"], datetime.fromtimestamp(sent, UTC))
    with pytest.raises(ForgedWebhook):
        check(headers, body + b" ", [vector["secret"]])


@pytest.mark.parametrize("bad", [case["value"] for case in VECTORS["negative_signature_headers"]])
def test_it_refuses_the_signatures_that_official_tests_refuse(bad: str) -> None:
    with pytest.raises(ForgedWebhook):
        check(signed() | {"webhook-signature": bad})


@pytest.mark.parametrize("secret", VECTORS["unpadded_secrets"])
def test_it_takes_secrets_without_padding_and_without_prefix(secret: str) -> None:
    headers = signed(secret=secret)
    padded = secret + "=" * (-len(secret) % 4)
    for spelled in (secret, f"whsec_{secret}", padded, f" whsec_{padded}\n"):
        assert check(headers, secrets=[spelled]).id == "msg_1"


@pytest.mark.parametrize("spelling", ["webhook", "svix"])
def test_it_says_which_delivery_this_is(spelling: str) -> None:
    moment = datetime.now(UTC).replace(microsecond=0)
    assert check(signed(sent_at=moment, spelling=spelling)) == Delivery("msg_1", moment)


def test_it_reads_headers_as_django_gives_them() -> None:
    request = RequestFactory().post("/", BODY, content_type="application/json", headers=signed(spelling="svix"))
    assert check(request.headers, request.body).id == "msg_1"


def test_it_does_not_mix_the_two_spellings() -> None:
    ours, theirs = signed(), signed(spelling="svix")
    with pytest.raises(MalformedWebhook):
        check(
            {"svix-id": theirs["svix-id"], **{name: ours[name] for name in ("webhook-timestamp", "webhook-signature")}}
        )


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, ""])
def test_it_needs_all_three_headers(name: str, value: str | None) -> None:
    headers = {key: each for key, each in (signed() | {name: value}).items() if each is not None}
    with pytest.raises(MalformedWebhook):
        check(headers)


@pytest.mark.parametrize("name", ["now.5", "hello", "nan", "inf", "-1", "1e9", "٣", "1" * 13, " 1", "0x1"])
def test_it_refuses_a_time_that_is_not_whole_seconds(name: str) -> None:
    timestamp = f"{time.time():.0f}.5" if name == "now.5" else name
    with pytest.raises(MalformedWebhook):
        check(signed() | {"webhook-timestamp": timestamp})


@pytest.mark.parametrize("minutes", [-6, 6, -60 * 24 * 365, 60 * 24 * 365])
def test_it_refuses_a_delivery_from_another_time(minutes: int) -> None:
    with pytest.raises(ForgedWebhook):
        check(signed(sent_at=datetime.now(UTC) + timedelta(minutes=minutes)))


@pytest.mark.parametrize("minutes", [-4, 4])
def test_it_allows_for_clocks_that_disagree_a_little(minutes: int) -> None:
    assert check(signed(sent_at=datetime.now(UTC) + timedelta(minutes=minutes)))


def test_it_signs_for_the_same_moment_whatever_the_time_zone() -> None:
    moment = datetime.now(UTC)
    elsewhere = moment.astimezone(timezone(timedelta(hours=-7)))
    assert (
        signed(sent_at=moment) == signed(sent_at=elsewhere) == signed(sent_at=moment.astimezone().replace(tzinfo=None))
    )


@pytest.mark.parametrize("bad", ["msg.1", "msg 1", "x" * 256, "msg_1\n", "müsg"])
def test_it_refuses_an_id_that_could_blur_what_was_signed(bad: str) -> None:
    with pytest.raises(MalformedWebhook):
        check(signed() | {"webhook-id": bad})


def test_it_covers_the_id_the_time_and_every_byte_of_the_body() -> None:
    headers = signed()
    later = str(int(headers["webhook-timestamp"]) + 1)
    attempts = [(headers | {"webhook-id": "msg_2"}, BODY), (headers | {"webhook-timestamp": later}, BODY)]
    attempts += [(headers, BODY[:n] + bytes([BODY[n] ^ 1]) + BODY[n + 1 :]) for n in range(len(BODY)) if BODY[n] < 128]
    attempts += [(headers, BODY + b" "), (headers, b""), (headers, json.dumps(json.loads(BODY)).encode())]
    for changed, body in attempts:
        with pytest.raises(ForgedWebhook):
            check(changed, body)


def test_it_accepts_the_old_and_the_new_secret_while_both_are_set() -> None:
    for secret in (SECRET, OLDER):
        assert check(signed(secret=secret), secrets=[SECRET, OLDER])
    with pytest.raises(ForgedWebhook):
        check(signed(secret=OLDER), secrets=[SECRET])


def test_it_finds_the_good_signature_among_others() -> None:
    headers = signed()
    good, other = headers["webhook-signature"], signed(secret=OLDER)["webhook-signature"]
    for many in (f"{other} {good}", f"v1a,AAAA {good}", f"garbage  v1 {good}", f"v1,!!! v1,é {good}", f"{good} "):
        assert check(headers | {"webhook-signature": many})


@pytest.mark.parametrize("bad", ["v1", ",", "v1,,", "v1,A", "v1,é", "garbage", "\x00", "v1a," + "A" * 86 + "==", " "])
def test_it_refuses_signatures_that_cannot_be_read(bad: str) -> None:
    with pytest.raises(ForgedWebhook):
        check(signed() | {"webhook-signature": bad})


def test_it_refuses_a_body_that_is_not_text() -> None:
    with pytest.raises(MalformedWebhook):
        check(signed(), b"\xff\xfe" + BODY)


def test_it_does_not_care_whether_the_body_is_json() -> None:
    assert check(signed(b"not json"), b"not json")


def test_it_refuses_a_large_body_before_it_computes_anything() -> None:
    with pytest.raises(TooLarge):
        verify(b"x" * (LARGEST_BODY + 1), {}, secrets=[])
    with pytest.raises(TooLarge):
        verify(BODY, signed(), secrets=[SECRET], largest=len(BODY) - 1)
    assert verify(BODY, signed(), secrets=[SECRET], largest=len(BODY))


EMPTY_OR_WRONG = [
    [], [""], ["whsec_"], ["   "], ["whsec_===="], ["whsec_not-base64!"], ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL"],
    ["whsec_YQ=="], ["whsec_MfKQ9r8G KYqrTwjUPD8ILPZIo2LaLaSw"], ["whsec_MfKQ9r8GKYqrTwjU=PD8ILPZIo2LaLaSw"],
    ["whsec_________________________________"], [SECRET, ""], SECRET,
]  # fmt: skip


@pytest.mark.parametrize("secrets", EMPTY_OR_WRONG)
def test_it_refuses_to_work_with_a_secret_that_anybody_could_have(secrets: Any) -> None:
    with pytest.raises(NotConfigured) as caught:
        check(signed(), secrets=secrets)
    assert not [secret for secret in secrets if len(secret) > 6 and secret in str(caught.value)]


def test_it_is_not_fooled_by_a_signature_made_with_an_empty_secret() -> None:
    headers = signed()
    content = f"msg_1.{headers['webhook-timestamp']}.".encode() + BODY
    forged = "v1," + base64.b64encode(hmac.new(b"", content, hashlib.sha256).digest()).decode()
    with pytest.raises(ForgedWebhook):
        check(headers | {"webhook-signature": forged})


anything = st.text(max_size=60) | st.just("v1," + "A" * 43 + "=") | st.just(str(int(time.time())))


@given(
    body=st.binary(max_size=60),
    headers=st.dictionaries(
        st.sampled_from(["webhook-id", "Webhook-Timestamp", "webhook-signature", "SVIX-id", "svix-signature"]), anything
    ),
    secrets=st.lists(st.just(SECRET) | st.text(max_size=40), max_size=3),
)
def test_it_answers_whatever_is_sent_with_one_of_our_own_errors(
    body: bytes, headers: dict[str, str], secrets: list[str]
) -> None:
    with pytest.raises(Problem) as caught:
        check(headers, body, secrets)
    assert caught.value.status in {400, 401, 503}
