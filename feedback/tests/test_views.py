"""Feedback over HTTP: what can be said, and who reads it."""

from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from feedback.models import LONGEST_TEXT, Feedback

URL = "/api/feedback/"
LEAST = {"kind": "idea", "message": "A dark mode, please."}


def say(client, **more):
    return client.post(URL, {**LEAST, **more}, format="json")


def client_of(user):
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {start_session(user).access}")
    return client


def test_the_least_is_enough(user, api):
    answer = say(api)
    body = answer.json()
    assert answer.status_code == 201
    row = Feedback.objects.get()
    assert (row.user, row.request_id) == (user, answer["X-Request-ID"])
    assert body == {
        "id": str(row.pk), "created_at": body["created_at"], **LEAST, "rating": None, "page": "",
        "post_analysis_id": None, "claim": "", "status": "new", "reply": "", "replied_at": None,
    }  # fmt: skip
    assert body["created_at"].endswith("Z")


def test_everything_that_is_said_is_kept(api):
    said = {"rating": 5, "page": "/analyses/1", "post_analysis_id": str(uuid4()), "claim": "claim-7", "kind": "bug"}
    message = "<script>alert('é 🎬')</script>\n\n{{ settings.SECRET_KEY }}"
    api.post(URL, {**said, "message": f"  {message}\n"}, format="json", headers={"User-Agent": "x" * 400})
    (shown,) = api.get(URL).json()["results"]
    assert {name: shown[name] for name in (*said, "message")} == {**said, "message": message}
    assert Feedback.objects.get().user_agent == "x" * 300


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("/reset-password?uid=a&token=secret", "/reset-password"),
        ("https://app.example/x#access_token=secret", "https://app.example/x"),
        ("/plain/path", "/plain/path"),
    ],
)
def test_what_a_page_carries_besides_its_path_is_not_kept(api, sent, kept):
    assert say(api, page=sent).json()["page"] == kept


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "rant"}, {"kind": None}, {"kind": ["bug"]}, {"kind": ""},
        {"message": ""}, {"message": " \n\t "}, {"message": None}, {"message": 5}, {"message": "a\x00b"},
        {"message": "x" * (LONGEST_TEXT + 1)}, {"message": ["a"]},
        {"rating": 0}, {"rating": 6}, {"rating": "5"}, {"rating": 4.5}, {"rating": True}, {"rating": 10**30},
        {"page": "javascript:alert(1)"}, {"page": "/a b"}, {"page": "/" * 501}, {"page": "ftp://a/"}, {"page": None},
        {"post_analysis_id": "x"}, {"post_analysis_id": 5}, {"post_analysis_id": ""},
        {"post_analysis_id": "urn:uuid:019a7c1e-8f2b-7c3d-9e4f-5a6b7c8d9e0f"},
        {"claim": "x" * 501}, {"claim": "\x00"}, {"claim": None}, {"claim": {}},
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_its_name(api, wrong):
    answer = say(api, **wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert list(answer.json()["details"]) == list(wrong)
    assert not Feedback.objects.exists()


@pytest.mark.parametrize("body", [[], "text", {}, {"kind": "bug"}, {"message": "Hello"}])
def test_what_is_no_feedback_is_refused(api, body):
    assert api.post(URL, body, format="json").status_code == 400


def test_the_longest_text_is_taken(api):
    assert say(api, message="é" * LONGEST_TEXT).status_code == 201


def test_nobody_decides_over_their_own_triage(user, api, ben):
    say(api, status="closed", reply="You are right.", replied_at="2026-01-01T00:00:00Z", user=str(ben.pk), assignee=1)
    row = Feedback.objects.get()
    assert (row.user, row.status, row.reply, row.replied_at, row.assignee) == (user, "new", "", None, None)


def test_each_sees_their_own_and_nobody_elses(user, api, ben):
    say(api, message="mine")
    theirs = say(client_of(ben), message="theirs").json()
    for query in ("", f"?user={ben.pk}", f"?user_id={ben.pk}&id={theirs['id']}"):
        assert [row["message"] for row in api.get(URL + query).json()["results"]] == ["mine"]


def test_strangers_see_and_say_nothing(db, stranger):
    assert stranger.get(URL).status_code == 401
    assert say(stranger).status_code == 401


def test_the_list_comes_by_pages_newest_first(user, api):
    rows = [Feedback.objects.create(user=user, kind="idea", message=str(number)) for number in range(5)]
    Feedback.objects.filter(pk__in=[row.pk for row in rows[:3]]).update(created_at=rows[0].created_at)
    seen, url = [], f"{URL}?page_size=2"
    while url:
        page = api.get(url).json()
        seen += [row["message"] for row in page["results"]]
        url = page["next"]
    assert seen == list(Feedback.objects.order_by("-created_at", "-id").values_list("message", flat=True))
    assert seen[:2] == ["4", "3"]


def test_what_became_of_it_is_shown(api, said, staff):
    Feedback.objects.update(status="answered", reply="Faster now.", replied_at=timezone.now(), replied_by=staff)
    answer = api.get(URL)
    (shown,) = answer.json()["results"]
    assert (shown["status"], shown["reply"]) == ("answered", "Faster now.")
    assert shown["replied_at"].endswith("Z")
    # Who on the team answered is theirs to tell.
    assert staff.email.encode() not in answer.content
    assert str(staff.pk).encode() not in answer.content


def test_saying_is_limited_by_user_and_reading_is_not(api, ben, settings):
    settings.THROTTLES = {**settings.THROTTLES, "feedback": (2, 3600)}
    assert [say(api).status_code for _ in range(3)] == [201, 201, 429]
    refused = say(api)
    assert refused.json()["code"] == "rate_limited"
    assert 1700 < int(refused["Retry-After"]) <= 1800
    assert refused.json()["details"] == {"retry_after": int(refused["Retry-After"])}
    assert refused["Retry-After"] in refused.json()["error"]
    assert (refused["RateLimit-Limit"], refused["RateLimit-Remaining"]) == ("2", "0")
    assert api.get(URL).status_code == 200
    assert say(client_of(ben)).status_code == 201


def test_the_same_key_says_it_once(api):
    first, again, other = (
        api.post(URL, {**LEAST, "message": message}, format="json", headers={"Idempotency-Key": "k1"})
        for message in ("once", "once", "twice")
    )
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert first.content == again.content
    assert again["Idempotent-Replay"] == "true"
    assert Feedback.objects.count() == 1
