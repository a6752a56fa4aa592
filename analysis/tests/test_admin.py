"""The desk for analyses: what its pages tell, that text stays text, and that its actions are the API's own verbs."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.urls import reverse

from accounts.models import Plan, UsageEntry, User
from accounts.usage import ensure_live_subscription
from analysis import pipeline, services
from analysis.models import AnalysisStatusHistory, ModelAnswer, PostAnalysis, PostAnalysisRequest, StageRun
from core.ids import uuid7

pytestmark = pytest.mark.django_db
ON_X, OTHER_ON_X, MISSING_ON_X = (f"https://x.com/i/status/{number}" for number in (11, 12, 1800000000000000000))
EVIL = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
YES = {"confirmed": "yes"}


@pytest.fixture(autouse=True)
def _by_samples_alone(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.SCRAPERS = {name: ["samples"] for name in settings.SCRAPERS}


def carry(request):
    """Be every worker until nothing is left to be done."""
    for post in request.posts.order_by("position"):
        for queue in ("io", "cpu", "io"):
            pipeline.advance(post.pk, queue)
    request.refresh_from_db()
    return request


@pytest.fixture
def explained(user):
    return carry(services.request_analysis(user, [ON_X]))


@pytest.fixture
def half(user):
    """One post is explained, the other does not exist."""
    return carry(services.request_analysis(user, [ON_X, MISSING_ON_X]))


def page(model, name="changelist", *args):
    return reverse(f"admin:analysis_{model._meta.model_name}_{name}", args=args)


def row_page(client, row):
    return client.get(page(type(row), "change", row.pk)).content.decode()


def listed(client, model, **query):
    return [*client.get(page(model), query).context_data["cl"].result_list]


def act(client, action, *rows, **form):
    ticked = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(page(type(rows[0])), ticked | form)


def said(answer):
    return [str(message) for message in get_messages(answer.wsgi_request)]


def noted(row):
    return [entry.change_message for entry in LogEntry.objects.filter(object_id=str(row.pk))]


def colleague(client, *codenames):
    somebody = User.objects.create_user("colleague@example.com", "a long password", is_staff=True)
    somebody.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(somebody)
    return client


def test_a_request_tells_its_timeline_its_posts_its_error_and_its_receipt(desk, half):
    told = row_page(desk, half)
    for word in AnalysisStatusHistory.objects.filter(request=half):
        assert word.stage in told
        assert word.message in told
    failed = half.posts.get(position=1)
    for post in half.posts.all():
        assert page(PostAnalysis, "change", post.pk) in told
    assert f"({failed.error_code}) at collect: {failed.error_message}" in told
    assert "2 units spent, 1 given back" in told


def test_a_post_tells_its_runs_its_verdict_its_claims_and_their_evidence(desk, explained):
    post = explained.posts.get()
    told = row_page(desk, post)
    runs = StageRun.objects.filter(post_analysis=post)
    assert {"collect", "media", "captions", "analyse"} == {run.stage for run in runs}
    assert all(f"<td>{run.stage}</td>" in told for run in runs)
    assert post.verdict["label"] in told
    assert all(f"<td>{item['id']}</td>" in told for item in post.evidence)
    assert told.count("<td>yes</td>") == post.grounding["claims"]
    assert f"{post.grounding['supported']} of {post.grounding['claims']} (100 %)" in told


def test_a_post_leads_to_its_vendor_calls_and_its_units_for_who_may_see_them(desk, client, explained):
    post = explained.posts.get()
    calls, units = (
        reverse(f"admin:{name}_changelist") for name in ("analytics_externalapicalllog", "accounts_usageentry")
    )
    told = row_page(desk, post)
    assert f'href="{calls}?q={post.pk}"' in told
    assert f'href="{units}?q=analysis:{post.pk}"' in told
    [entry] = desk.get(units, {"q": f"analysis:{post.pk}"}).context_data["cl"].result_list
    assert entry.user == explained.user
    told = row_page(colleague(client, "view_postanalysis"), post)
    assert (calls in told, units in told) == (False, False)


def test_a_claim_that_does_not_hold_stands_out(desk, explained):
    post = explained.posts.get()
    post.quick_takeaways[0]["supported"] = False
    post.save()
    assert row_page(desk, post).count("<td>NO</td>") == 1


def test_the_prompt_and_the_answer_are_shown_to_the_letter_as_text(desk, explained):
    post = explained.posts.get()
    answer = ModelAnswer.objects.get(post_analysis=post)
    ModelAnswer.objects.filter(pk=answer.pk).update(prompt=f"{EVIL}\n\n  two spaces", answer=EVIL)
    told = row_page(desk, answer)
    assert EVIL not in told
    assert f'<pre class="whyral-raw">{ESCAPED}\n\n  two spaces</pre>' in told
    assert f'<pre class="whyral-raw">{ESCAPED}</pre>' in told
    assert page(ModelAnswer, "change", answer.pk) in row_page(desk, post)


def test_what_strangers_wrote_is_text_wherever_it_is_shown(desk, explained):
    post = explained.posts.get()
    claim = {"text": EVIL, "evidence": [EVIL], "supported": False}
    observed = {"hook": claim, EVIL: claim, "timing": None}
    PostAnalysis.objects.filter(pk=post.pk).update(
        url=f"https://x.com/{EVIL}", verdict={"label": EVIL, "basis": EVIL, "baseline": {EVIL: EVIL}},
        virality_reasoning=[claim], content_observation=observed, viral_formula=claim,
        evidence=[{"id": EVIL, "kind": EVIL, "text": EVIL}], demand=[{"kind": EVIL, "count": 1, "examples": [EVIL]}],
        confounders=[{"kind": EVIL, "state": EVIL, "note": EVIL, "evidence": [EVIL]}], metadata_used={EVIL: [EVIL]},
        error_stage=EVIL, error_category=EVIL[:20], error_code=EVIL, error_message=EVIL, provider=EVIL,
        tokens={"a": EVIL},
    )  # fmt: skip
    StageRun.objects.filter(post_analysis=post).update(note=EVIL, code=EVIL)
    AnalysisStatusHistory.objects.filter(request=explained).update(message=EVIL)
    PostAnalysisRequest.objects.filter(pk=explained.pk).update(
        display_name=EVIL, post_urls=[EVIL], error_details={"a": EVIL}
    )
    pages = [
        row_page(desk, post),
        row_page(desk, explained),
        *(desk.get(page(each)).content.decode() for each in MODELS),
    ]
    assert all(EVIL not in told for told in pages)
    assert [told.count(ESCAPED) > 0 for told in pages] == [True] * len(pages)
    assert pages[0].count(ESCAPED) >= 25


MODELS = (PostAnalysisRequest, PostAnalysis)


@pytest.mark.parametrize("model", MODELS)
def test_it_is_found_by_address_by_id_and_by_whom_it_is_of(desk, model, half, user):
    other = User.objects.create_user("other@example.com", "a long password")
    ensure_live_subscription(other)
    theirs = carry(services.request_analysis(other, [OTHER_ON_X]))
    mine = half if model is PostAnalysisRequest else half.posts.get(position=0)
    others = theirs if model is PostAnalysisRequest else theirs.posts.get()
    assert listed(desk, model, q="https://twitter.com/jack/status/11?s=20") == [mine]
    assert listed(desk, model, q=OTHER_ON_X) == [others]
    assert listed(desk, model, q=str(mine.pk)) == [mine]
    assert mine in listed(desk, model, q="USER@ex")
    assert others not in listed(desk, model, q="user@ex")
    assert listed(desk, model, q="https://x.com/i/status/13") == []
    assert listed(desk, model, q="nobody@example.com") == []


def test_what_waits_to_be_collected_is_found_by_its_address(desk, user):
    request = services.request_analysis(user, [ON_X])
    assert listed(desk, PostAnalysisRequest, q=ON_X) == [request]
    assert listed(desk, PostAnalysis, q=ON_X) == [request.posts.get()]


def test_posts_of_a_request_are_found_by_its_id_and_answers_by_their_post(desk, half):
    assert {*listed(desk, PostAnalysis, q=str(half.pk))} == {*half.posts.all()}
    answer = ModelAnswer.objects.get()
    assert listed(desk, ModelAnswer, q=str(answer.post_analysis_id)) == [answer]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"status__exact": "COMPLETED"}, 1), ({"status__exact": "FAILED"}, 1), ({"platform": "youtube"}, 0),
        ({"platform": "x"}, 2), ({"error_category": "unsupported"}, 1), ({"error_category": "quota"}, 0),
    ],
)  # fmt: skip
def test_posts_are_narrowed(desk, half, query, count):
    assert len(listed(desk, PostAnalysis, **query)) == count


def test_nobody_edits_what_happened(desk, explained):
    for row in (explained, explained.posts.get(), ModelAnswer.objects.get()):
        assert desk.post(page(type(row), "change", row.pk), {"status": "FAILED"}).status_code == 403
        assert desk.post(page(type(row), "delete", row.pk), {"post": "yes"}).status_code == 403
        assert desk.get(page(type(row), "add")).status_code == 403


def test_a_request_is_tried_again_after_a_yes_on_behalf_of_its_user(desk, half, user):
    assert user.email in act(desk, "try_again", half).content.decode()
    assert half.posts.get(position=1).status == "FAILED"
    assert said(act(desk, "try_again", half, **YES)) == ["1 request is tried again."]
    half.refresh_from_db()
    assert (half.status, half.retry_count, half.posts.get(position=1).status) == ("PROCESSING", 1, "PENDING")
    assert UsageEntry.objects.filter(user=user, given_back_at=None).count() == 2
    assert noted(half) == ["Tried again."]


def test_what_cannot_be_tried_again_is_named_and_not_noted(desk, explained):
    [sentence] = said(act(desk, "try_again", explained, **YES))
    assert sentence.startswith(f"{explained}: There is nothing to try again")
    assert noted(explained) == []


def test_a_limit_stands_for_staff_too(desk, half, user):
    Plan.objects.filter(slug="free").update(max_analyses_per_day=1)
    [sentence] = said(act(desk, "try_again", half, **YES))
    assert sentence.startswith(f"{half}: Your plan's limit for today is reached: ")


def test_a_request_is_called_off_and_its_unit_goes_back(desk, user):
    request = services.request_analysis(user, [ON_X])
    assert request.posts.get().status == "PENDING"
    act(desk, "call_off", request)
    assert request.posts.get().status == "PENDING"
    assert said(act(desk, "call_off", request, **YES)) == ["1 request is called off."]
    request.refresh_from_db()
    assert request.status == "CANCELLED"
    assert UsageEntry.objects.get(user=user).given_back_at is not None
    assert noted(request) == ["Called off."]


def test_a_stage_is_chosen_among_those_it_went_through_and_run_again(desk, explained):
    post = explained.posts.get()
    asked = act(desk, "run_again", post).content.decode()
    assert [name for name in pipeline.STAGES if f'<option value="{name}"' in asked] == [
        run for run in pipeline.STAGES if StageRun.objects.filter(post_analysis=post, stage=run).exists()
    ]
    assert said(act(desk, "run_again", post, stage="analyse", **YES)) == ["1 post goes back to analyse."]
    assert noted(post) == ["analyse run again."]
    carry(explained)
    post.refresh_from_db()
    assert (explained.status, post.status, post.cost_micros) == ("COMPLETED", "COMPLETED", 0)
    runs = StageRun.objects.filter(post_analysis=post).order_by("id").values_list("stage", "outcome")
    assert list(runs)[-2:] == [("analyse", "undone"), ("analyse", "done")]
    assert ModelAnswer.objects.filter(post_analysis=post).count() == 2


def test_a_stage_that_was_never_begun_or_a_post_under_way_is_left_alone(desk, half, user):
    lost = half.posts.get(position=1)
    act(desk, "run_again", lost, stage="analyse", **YES)
    lost.refresh_from_db()
    assert lost.status == "FAILED"
    waiting = services.request_analysis(user, [OTHER_ON_X]).posts.get()
    both = act(desk, "run_again", half.posts.get(position=0), waiting, stage="analyse", **YES)
    assert said(both) == [
        "1 post goes back to analyse.", "1 post was left alone: not ended yet, or never at this stage.",
    ]  # fmt: skip
    waiting.refresh_from_db()
    assert (waiting.status, noted(waiting)) == ("PENDING", [])


@pytest.mark.parametrize("action", ["try_again", "call_off"])
def test_who_may_only_look_at_requests_has_no_action(client, half, action):
    act(colleague(client, "view_postanalysisrequest"), action, half, **YES)
    half.refresh_from_db()
    assert (half.status, half.retry_count) == ("COMPLETED", 0)


def test_who_may_only_look_at_posts_runs_no_stage(client, explained):
    act(colleague(client, "view_postanalysis"), "run_again", explained.posts.get(), stage="analyse", **YES)
    assert explained.posts.get().status == "COMPLETED"


def test_the_thread_of_a_request_has_the_analysis_it_asked_for(desk, explained):
    http_id = str(uuid7())
    PostAnalysisRequest.objects.filter(pk=explained.pk).update(request_id=http_id)
    assert f'href="/admin/thread/{http_id}/"' in row_page(desk, explained)
    [entry] = desk.get(reverse("admin:thread", args=[http_id])).context_data["entries"]
    assert (entry.kind, entry.title, entry.bad) == ("Analysis", str(explained), False)
    assert entry.link == page(PostAnalysisRequest, "change", explained.pk)
