"""What each endpoint of the analysis answers, and that it is what the description says."""

from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from accounts.identity.local import start_session
from accounts.models import UsageEntry, User
from analysis import engine, pipeline, services
from analysis.models import PostAnalysis, PostAnalysisRequest, StageRun
from analysis.stages.contract import Later
from analysis.tests.asking import BASE, SECOND, TUBE, URL, ask, holds_what_is_described
from analysis.tests.fakes import Fake, put_on_plan, stages_of
from core.errors import NotConfigured
from social.models import Platform

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(user):
    put_on_plan(user, posts=5, a_day=20)
    return user


@pytest.fixture
def other(db):
    """Somebody else, signed in."""
    client = APIClient(raise_request_exception=False)
    access = start_session(User.objects.create_user("other@example.com")).access
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client


# Asking


@pytest.mark.parametrize(
    "body",
    [{}, {"post_urls": []}, {"post_urls": URL}, {"post_urls": [1]}, {"post_urls": None}, {"post_urls": [URL] * 101},
     {"post_urls": ["x" * 2001]}, {"post_urls": [{}]}, []],
)  # fmt: skip
@pytest.mark.parametrize("path", ["analyze", "quote"])
def test_a_body_that_holds_no_addresses_is_refused(api, user, body, path):
    answer = api.post(f"{BASE}/{path}/", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not PostAnalysisRequest.objects.exists()


@pytest.mark.parametrize("path", ["analyze", "quote"])
def test_wrong_addresses_are_named_one_by_one(api, user, path):
    answer = api.post(f"{BASE}/{path}/", {"post_urls": [URL, "https://x.com/jack", "nonsense"]}, format="json")
    assert answer.status_code == 400
    named = {each["url"]: each["code"] for each in answer.json()["details"]["post_urls"]}
    assert named == {"https://x.com/jack": "profile", "nonsense": "not_an_address"}
    assert not UsageEntry.objects.exists()


def test_beyond_the_plan_it_is_a_402_that_says_how_things_stand(api, user):
    put_on_plan(user, posts=5, a_day=1)
    assert ask(api, URL).status_code == 202
    answer = ask(api, SECOND, TUBE)
    assert (answer.status_code, answer.json()["code"]) == (402, "usage_limit_reached")
    details = answer.json()["details"]
    assert (details["limit"], details["used"], details["requested"]) == (1, 1, 1)
    assert set(details) == {"limit", "used", "requested", "resets_at", "upgrade_url", "kind", "platform"}
    assert PostAnalysisRequest.objects.count() == 1


def test_a_quote_says_what_would_be_spent_and_spends_nothing(api, user):
    put_on_plan(user, posts=5, a_day=2)
    ask(api, URL)
    answer = api.post(f"{BASE}/quote/", {"post_urls": [SECOND, TUBE, "x.com/i/status/13", SECOND]}, format="json")
    told = holds_what_is_described(answer, f"{BASE}/quote/")
    units = {each["platform"]: each for each in told["units"]}
    assert (units["x"]["units"], units["x"]["used"], units["x"]["remaining"], units["x"]["fits"]) == (2, 1, 1, False)
    assert (units["youtube"]["units"], units["youtube"]["fits"], told["fits"]) == (1, True, False)
    assert len(told["posts"]) == 3
    assert UsageEntry.objects.count() == 1


def test_a_closed_platform_is_refused(api, user):
    Platform.objects.filter(slug="x").update(active=False)
    answer = ask(api, URL)
    assert (answer.status_code, answer.json()["details"]["post_urls"][0]["code"]) == (400, "platform_inactive")


def test_asking_is_counted_and_limited(api, user, settings):
    settings.THROTTLES = {**settings.THROTTLES, "analysis": (2, 3600)}
    answers = [ask(api, URL) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert int(answers[2]["Retry-After"]) > 0
    assert [answer["RateLimit-Remaining"] for answer in answers[:2]] == ["1", "0"]
    # A quote is no analysis.
    assert api.post(f"{BASE}/quote/", {"post_urls": [URL]}, format="json").status_code == 200


# Under a key


def test_the_same_key_asks_once_and_another_body_under_it_is_a_conflict(api, user):
    first, again = (ask(api, URL, **{"idempotency-key": "k1"}) for _ in range(2))
    assert first.content == again.content
    assert again["Idempotent-Replay"] == "true"
    other = ask(api, SECOND, **{"idempotency-key": "k1"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert (PostAnalysisRequest.objects.count(), UsageEntry.objects.count()) == (1, 1)


def test_a_cancel_and_a_retry_under_a_key_happen_once(api, user):
    asked = ask(api, URL).json()
    for verb, status in (("cancel", 200), ("retry", 202)):
        if verb == "retry":
            PostAnalysis.objects.update(status="FAILED")
            PostAnalysisRequest.objects.update(status="FAILED")
        path = f"{BASE}/requests/{asked['id']}/{verb}/"
        answers = [api.post(path, headers={"idempotency-key": verb}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [status, status]
        assert answers[0].content == answers[1].content
    assert PostAnalysisRequest.objects.get().retry_count == 1


# Listing


def test_ones_own_requests_are_listed_newest_first_and_paged(api, user, other):
    ids = [ask(api, f"https://x.com/i/status/{number}").json()["id"] for number in range(101, 106)]
    assert ask(other, "https://x.com/i/status/106").status_code == 202
    page = holds_what_is_described(api.get(f"{BASE}/requests/?page_size=2"), f"{BASE}/requests/")
    seen = [row["id"] for row in page["results"]]
    while page["next"]:
        page = api.get(page["next"]).json()
        seen += [row["id"] for row in page["results"]]
    assert seen == ids[::-1]


def test_they_can_be_narrowed_down(api, user):
    tube, mixed, first = (ask(api, *urls).json()["id"] for urls in ([TUBE], [TUBE, URL], [URL]))
    services.cancel(user, first)

    def ids(query):
        return {row["id"] for row in api.get(f"{BASE}/requests/?{query}").json()["results"]}

    assert ids("status=CANCELLED") == {first}
    assert ids("status=PENDING") == {tube, mixed}
    assert ids("platform=mixed") == {mixed}
    assert ids("platform=youtube&status=PENDING&q=WHYRALDMO0a") == {tube}
    assert ids("q=x.com") == {first}
    assert ids("q=nothing") == set()
    # What is looked for is a text, no pattern.
    assert ids("q=%25") == ids("q=_") == ids("q=you%25be") == set()
    assert ids("q=%00") == {tube, mixed, first}


@pytest.mark.parametrize("query", ["status=DONE", "status=pending", "platform=tiktok", "cursor=x", "page_size=0"])
def test_what_cannot_be_narrowed_by_is_refused(api, user, query):
    assert api.get(f"{BASE}/requests/?{query}").status_code == 400


# One of them


def test_progress_is_that_of_all_its_posts(api, user):
    asked = ask(api, URL, SECOND).json()
    first, second = (post["id"] for post in asked["posts"])
    pipeline.advance(
        first, "io", stages=stages_of(Fake("collect", progress=40), Fake("media", lambda _: Later(seconds=9)))
    )
    one = api.get(f"{BASE}/requests/{asked['id']}/").json()
    assert (one["status"], one["progress"], one["posts"][0]["stage"]) == ("PROCESSING", 20, "media")

    def fail(work):
        raise NotConfigured("Nobody is configured.")

    pipeline.advance(second, "io", stages=stages_of(Fake("collect", fail)))
    one = holds_what_is_described(api.get(f"{BASE}/requests/{asked['id']}/"), f"{BASE}/requests/{{request_id}}/")
    assert (one["progress"], one["posts_processed"]) == (70, 1)
    failed = one["posts"][1]
    assert (failed["status"], failed["error_stage"], failed["error_category"]) == ("FAILED", "collect", "unsupported")
    assert failed["error_message"] == "Nobody is configured."
    assert one["receipt"]["units_given_back"] == 1


def test_a_receipt_without_a_price_says_so(api, user):
    asked = ask(api, URL).json()
    work = engine.claim(asked["posts"][0]["id"], begins={"collect": ("fetching_posts", "x")})
    assert work
    StageRun.objects.update(calls=2, cost_micros=None, outcome="failed")
    receipt = api.get(f"{BASE}/requests/{asked['id']}/").json()["receipt"]
    assert (receipt["vendor_calls"], receipt["cost"], receipt["units_spent"]) == (2, None, 1)


def test_cancel_retry_and_delete_answer_as_they_should(api, user):
    asked = ask(api, URL).json()
    path = f"{BASE}/requests/{asked['id']}/"
    assert api.post(f"{path}retry/").json()["code"] == "nothing_to_retry"
    assert api.post(f"{path}cancel/").json()["status"] == "CANCELLED"
    again = api.post(f"{path}cancel/")
    assert (again.status_code, again.json()["code"]) == (409, "already_over")
    assert api.delete(path).status_code == 204
    assert api.delete(path).status_code == 404
    assert api.get(path).status_code == 404


def test_a_ticket_is_issued_for_ones_own(api, user, other):
    asked = ask(api, URL).json()
    path = f"{BASE}/requests/{asked['id']}/events/ticket/"
    told = holds_what_is_described(api.post(path), f"{BASE}/requests/{{request_id}}/events/ticket/")
    assert (len(told["ticket"]) > 30, told["expires_in"]) == (True, 60)
    assert other.post(path).status_code == 404


@pytest.mark.parametrize("whose", ["somebody else's", "nobody's"])
def test_what_is_not_ones_own_is_missing(api, user, other, whose):
    asked = ask(api, URL).json()
    request, post = (asked["id"], asked["posts"][0]["id"]) if whose == "somebody else's" else (uuid4(), uuid4())
    paths = [f"{BASE}/requests/{request}/{rest}" for rest in ("", "history/", "events/")]
    answers = [other.get(path) for path in (*paths, f"{BASE}/posts/{post}/", f"/api/social/posts/analysis/{request}/")]
    answers += [other.post(f"{BASE}/requests/{request}/{verb}/") for verb in ("retry", "cancel", "events/ticket")]
    answers += [other.delete(f"{BASE}/requests/{request}/")]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "not_found")}
    assert PostAnalysisRequest.objects.get().status == "PENDING"
