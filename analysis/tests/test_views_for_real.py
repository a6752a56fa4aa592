"""From an address to its explanation over HTTP, with shipped samples: every answer on the way is as it is described."""

import pytest

from analysis import pipeline
from analysis.models import PostAnalysis
from analysis.tests.asking import BASE, SECOND, TUBE, URL, ask, holds_what_is_described
from analysis.tests.fakes import put_on_plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(user):
    put_on_plan(user, posts=5, a_day=20)
    return user


def run_for_real(request_id):
    """Through the real stages, with shipped samples, and nobody but this process."""
    for post_id in PostAnalysis.objects.filter(request=request_id).values_list("pk", flat=True):
        for queue in ("io", "cpu", "io"):
            pipeline.advance(post_id, queue)


def test_a_request_from_its_address_to_its_result_is_what_the_description_says(api, user):
    """Through the real stages, once: every answer on the way is held against the description."""
    taken = holds_what_is_described(ask(api, TUBE, URL), f"{BASE}/analyze/")
    assert (taken["status"], taken["progress"], taken["receipt"]["units_spent"]) == ("PENDING", 0, 2)
    assert [post["verdict"] for post in taken["posts"]] == [None, None]
    run_for_real(taken["id"])

    one = holds_what_is_described(api.get(f"{BASE}/requests/{taken['id']}/"), f"{BASE}/requests/{{request_id}}/")
    assert (one["status"], one["progress"], one["stage"]) == ("COMPLETED", 100, "analysis_complete")
    assert [stage["stage"] for stage in one["receipt"]["posts"][0]["stages"]][:2] == ["collect", "media"]
    for post in one["posts"]:
        read = api.get(f"{BASE}/posts/{post['id']}/")
        assert holds_what_is_described(read, f"{BASE}/posts/{{post_analysis_id}}/") == post
        assert post["provider"] == "rules"
        assert post["verdict"]["basis"]
        assert 3 <= len(post["quick_takeaways"]) <= 5
        assert len(post["suggestions_for_future_posts"]) == 4
        known = {item["id"] for item in post["evidence"]}
        claims = [*post["virality_reasoning"], *post["quick_takeaways"], *post["improvements"]]
        assert {cited for claim in claims for cited in claim["evidence"]} <= known

    history = api.get(f"{BASE}/requests/{taken['id']}/history/")
    rows = holds_what_is_described(history, f"{BASE}/requests/{{request_id}}/history/")["results"]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert (rows[0]["stage"], rows[-1]["stage"], rows[-1]["progress"]) == ("request_created", "analysis_complete", 100)

    posts = api.get(f"/api/social/posts/analysis/{taken['id']}/")
    shown = holds_what_is_described(posts, "/api/social/posts/analysis/{request_id}/")["results"]
    assert [each["platform"] for each in shown] == ["youtube", "x"]
    assert [each["post_analysis_id"] for each in shown] == [post["id"] for post in one["posts"]]
    assert shown[0]["comments"]["seen"] >= len(shown[0]["comments"]["sample"]) > 0
    assert shown[0]["metrics"]["views"] > 0
    stored = [medium for medium in shown[0]["media"] if medium["state"] == "stored"]
    assert stored
    assert all(medium["url"] for medium in stored)

    quoted = api.post(f"{BASE}/quote/", {"post_urls": [TUBE, SECOND]}, format="json")
    told = holds_what_is_described(quoted, f"{BASE}/quote/")
    assert [post["stored"] for post in told["posts"]] == [True, False]
    listed = holds_what_is_described(api.get(f"{BASE}/requests/"), f"{BASE}/requests/")["results"]
    assert [row["id"] for row in listed] == [taken["id"]]


def test_the_same_post_asked_for_again_is_there_already(api, user):
    first = ask(api, URL).json()
    run_for_real(first["id"])
    second = ask(api, URL).json()
    run_for_real(second["id"])
    [shown] = api.get(f"/api/social/posts/analysis/{second['id']}/").json()["results"]
    assert shown["reused"] is True
    stage = api.get(f"{BASE}/requests/{second['id']}/").json()["receipt"]["posts"][0]["stages"][0]
    assert (stage["stage"], stage["reused"], stage["vendor_calls"]) == ("collect", True, 0)
