"""`manage.py analyze`: the pipeline without any worker, the report, the JSON, and every way in which it ends."""

import _thread
import io
import json
import re
import threading
import time

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from rich.console import Console

from accounts.demo import DEMO_EMAIL
from accounts.models import Plan, User, UserUsage
from accounts.usage import ensure_live_subscription
from analysis import services
from analysis.bodies import request_body
from analysis.models import ModelAnswer, PostAnalysis, PostAnalysisRequest, StageRun
from analysis.terminal.carrying import carried
from analysis.terminal.report import one_line, report_of
from analysis.terminal.watching import Watch
from core.wire import JSONRenderer

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
VIDEO, ON_X, OTHER_ON_X = "https://youtu.be/WhyralDmo0I", "https://x.com/i/status/11", "https://x.com/i/status/12"
MISSING_ON_X = "https://x.com/i/status/1800000000000000000"
EVIL = "\x1b[2J\x1b]0;owned\x07[bold red]not markup[/] \u202eturned\r\nsecond line"


@pytest.fixture(autouse=True)
def _by_samples_alone(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.SCRAPERS = {name: ["samples"] for name in settings.SCRAPERS}


@pytest.fixture(autouse=True)
def _leave_no_carrier():
    """Tables are emptied after a test: no thread of ours may still write to them."""
    yield
    for thread in threading.enumerate():
        if thread.name == "carrier":
            thread.join(30)


@pytest.fixture
def demo(db):
    demo = User.objects.create_user(DEMO_EMAIL, "a long password")
    ensure_live_subscription(demo)
    return demo


def analyze(*urls, **options):
    out = io.StringIO()
    call_command("analyze", *urls, stdout=out, **options)
    return out.getvalue()


def refused(*urls, **options):
    with pytest.raises(CommandError) as problem:
        analyze(*urls, **options)
    return problem.value


def printed(body, width=120):
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False)
    for part in report_of(body):
        console.print(part)
    return out.getvalue()


def test_a_sample_is_explained_without_any_worker_and_printed_with_its_evidence(demo):
    report = " ".join(analyze(VIDEO).split())
    post = PostAnalysis.objects.get()
    assert (post.status, post.request.user) == ("COMPLETED", demo)
    assert "Verdict over: " in report
    assert one_line(post.verdict["basis"]) in report
    cited = {name for claim in post.virality_reasoning for name in claim["evidence"]}
    quoted = [item for item in post.evidence if item["id"] in cited]
    assert quoted
    for item in quoted:
        assert item["id"] in report
        assert f'"{one_line(item["text"])}"' in report
    for title in ("Takeaways", "What to do next", "What else may have lifted it", "What readers ask for"):
        assert title in report
    assert f"{post.grounding['supported']} of {post.grounding['claims']} claims hold" in report
    assert "provider rules" in report
    assert "1 unit spent, 0 given back" in report


def test_only_cited_evidence_is_quoted(demo):
    analyze(ON_X)
    request = PostAnalysisRequest.objects.get()
    body = request_body(request.pk, user_id=demo.pk)
    stray = {"id": "k99", "kind": "comment", "text": "nobody cites me"}
    body["posts"][0]["evidence"].append(stray)
    assert "nobody cites me" not in printed(body)
    body["posts"][0]["quick_takeaways"][0]["evidence"].append("k99")
    assert "nobody cites me" in printed(body)


def test_json_is_what_the_api_gives_and_nothing_else(demo, capsys):
    out = analyze(VIDEO, ON_X, json=True)
    request = PostAnalysisRequest.objects.get()
    assert out.rstrip("\n").encode() == JSONRenderer().render(request_body(request.pk, user_id=demo.pk))
    assert [post["status"] for post in json.loads(out)["posts"]] == ["COMPLETED", "COMPLETED"]
    assert capsys.readouterr() == ("", "")


def test_the_way_is_told_on_stderr_and_the_report_on_stdout(demo, capsys):
    report = analyze(ON_X)
    told = capsys.readouterr()
    assert "The post is being fetched." in told.err
    assert "The post is being fetched." not in report
    assert told.out == ""


def test_somebody_elses_name_spends_their_units(user):
    analyze(ON_X, user="USER@example.com")
    assert PostAnalysisRequest.objects.get().user == user
    assert UserUsage.objects.get(user=user).url_lookups == 1


def test_each_wrong_address_is_told_why_and_nothing_is_spent(demo):
    problem = refused("nonsense", ON_X, "https://x.com/jack")
    lines = str(problem).splitlines()
    assert problem.returncode == 1
    assert [line.split(": ")[0].strip() for line in lines[1:]] == ["nonsense", "https://x.com/jack"]
    assert not PostAnalysisRequest.objects.exists()
    assert not UserUsage.objects.filter(url_lookups__gt=0).exists()


def test_a_limit_that_is_reached_says_what_is_used_and_when_it_begins_anew(demo):
    Plan.objects.filter(slug="free").update(max_analyses_per_day=1)
    analyze(ON_X)
    problem = refused(OTHER_ON_X)
    assert "1 of 1 posts a day on x are used, and this asks for 1 more." in str(problem)
    assert re.search(r"The count begins anew at \d{4}-\d\d-\d\dT00:00:00", str(problem))
    assert PostAnalysisRequest.objects.count() == 1


def test_who_is_not_there_is_named(db):
    assert f"There is no active user {DEMO_EMAIL}" in str(refused(ON_X))
    assert "There is no active user eve@example.com" in str(refused(ON_X, user="eve@example.com"))


def test_the_end_says_how_many_were_explained(demo):
    some = refused(ON_X, MISSING_ON_X)
    assert (str(some), some.returncode) == ("1 of 2 posts are explained.", 3)
    none = refused(MISSING_ON_X)
    assert (str(none), none.returncode) == ("0 of 1 posts are explained.", 1)


def test_a_post_that_failed_says_why_and_whether_trying_again_helps(demo):
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("analyze", MISSING_ON_X, stdout=out)
    report = " ".join(out.getvalue().split())
    post = PostAnalysis.objects.get()
    assert f"Not explained: {post.error_message}" in report
    assert f"{post.error_category} ({post.error_code}) at collect. Trying again would not help." in report
    assert "1 unit spent, 1 given back" in report


def interrupt_when_it_is_under_way(heard):
    while not StageRun.objects.exists():
        time.sleep(0.01)
    connection.close()
    # Python drops one that comes while it clears up after an object; whoever presses the keys then presses again.
    for _ in range(3):
        _thread.interrupt_main()
        if heard.wait(5):
            return


def test_ctrl_c_leaves_the_request_to_the_workers_and_says_so(demo):
    heard = threading.Event()
    threading.Thread(target=interrupt_when_it_is_under_way, args=[heard], daemon=True).start()
    try:
        problem = refused(VIDEO)
    finally:
        heard.set()
    request = PostAnalysisRequest.objects.get()
    assert problem.returncode == 130
    assert f"Request {request.pk} is left to the workers" in str(problem)
    assert request.status in ("PENDING", "PROCESSING")
    # As a worker does; what the thread that was broken off still holds ends first.
    with carried(request.pk):
        Watch(request.pk, Console(file=io.StringIO())).follow()
    request.refresh_from_db()
    assert request.status == "COMPLETED"


def test_beside_workers_every_stage_is_run_once(demo):
    request = services.request_analysis(demo, [ON_X, OTHER_ON_X])
    with carried(request.pk), carried(request.pk):
        Watch(request.pk, Console(file=io.StringIO())).follow()
    runs = StageRun.objects.filter(post_analysis__request=request)
    assert {run.outcome for run in runs} <= {"done", "not_ready"}
    assert ModelAnswer.objects.count() == 2
    assert runs.filter(stage="analyse", outcome="done").count() == 2


def test_what_a_gone_worker_held_is_taken_over(demo):
    request = services.request_analysis(demo, [ON_X])
    PostAnalysis.objects.update(status="PROCESSING", lease_until="2020-01-01T00:00Z", fence=7, tries=1)
    with carried(request.pk):
        Watch(request.pk, Console(file=io.StringIO())).follow()
    assert PostAnalysis.objects.get().status == "COMPLETED"


def test_a_terminal_obeys_nothing_that_strangers_wrote(demo):
    analyze(VIDEO)
    request = PostAnalysisRequest.objects.get()
    body = request_body(request.pk, user_id=demo.pk)
    post = body["posts"][0]
    for name in ("virality_reasoning", "quick_takeaways", "suggestions_for_future_posts", "improvements"):
        post[name][0]["text"] = EVIL
    post["viral_formula"]["text"] = post["verdict"]["basis"] = post["url"] = post["provider"] = EVIL
    post["confounders"][0] |= {"note": EVIL, "kind": EVIL, "state": EVIL}
    post["demand"][0]["kind"] = EVIL
    for item in post["evidence"]:
        item["text"] = EVIL
    report = printed(body, width=400)
    assert not {"\x1b", "\x07", "\r", "\u202e"} & {*report}
    assert report.count("[bold red]not markup[/] turned second line") >= 10
    assert "\nsecond line" not in report


def test_a_bar_obeys_nothing_that_strangers_wrote(demo):
    request = services.request_analysis(demo, [ON_X])
    PostAnalysis.objects.update(error_message=EVIL, status="FAILED")
    PostAnalysisRequest.objects.update(status="FAILED", open_posts=0)
    out = io.StringIO()
    Watch(request.pk, Console(file=out, force_terminal=True, width=200, color_system=None)).follow()
    assert "[bold red]not markup[/]" in out.getvalue()
    assert "owned\x07" not in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


def test_a_claim_that_does_not_hold_is_marked(demo):
    analyze(ON_X)
    body = request_body(PostAnalysisRequest.objects.get().pk, user_id=demo.pk)
    assert "not supported" not in printed(body)
    body["posts"][0]["quick_takeaways"][0]["supported"] = False
    assert printed(body, width=400).count("not supported by its evidence") == 1


def test_a_request_that_was_called_off_meanwhile_ends_the_wait(demo):
    request = services.request_analysis(demo, [ON_X])
    services.cancel(demo, request.pk)
    Watch(request.pk, Console(file=io.StringIO())).follow()
    assert "cancelled, at collect" in printed(request_body(request.pk, user_id=demo.pk))
