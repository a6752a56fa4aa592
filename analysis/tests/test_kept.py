"""What a model was paid for: used by whoever comes next, counted once whoever dies, and asked for anew when told so."""

from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import services
from analysis.bodies import receipt
from analysis.models import ModelAnswer, PostAnalysis
from analysis.stages.contract import Product
from analysis.tests.dying import Killed, advance
from analysis.tests.fakes import Fake, make_request, stages_of
from core.calls import VendorCall, announce
from core.errors import VendorTimeout

pytestmark = pytest.mark.django_db
ON_X = "https://x.com/i/status/11"
TOKENS = {"input": 1000, "output": 100, "cached": 0, "thinking": 10}
UNITS = {"input_tokens": 1000, "output_tokens": 110}
EACH = {"vendor_calls": 1, "tokens": 1110, "cost": 1500 + 825}


@pytest.fixture(autouse=True)
def _order(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.ANALYSIS_PROVIDERS = ["gemini"]


@pytest.fixture
def post(user, gemini):
    return services.request_analysis(user, [ON_X]).posts.get()


def counted(post):
    """What the receipt says, where the request's and the post's own columns say the same."""
    post.request.refresh_from_db()
    total = {name: count for name, count in receipt([post.pk]).items() if name in EACH}
    assert (post.request.total_api_calls, post.request.cost_micros) == (total["vendor_calls"], total["cost"])
    assert post.cost_micros in (None, total["cost"])
    return total


def give_up(post):
    """Every worker that takes it dies with the answer in its hands."""
    for _ in range(5):
        advance(post, killed_after="analyse")
    assert (post.status, post.error_code) == ("FAILED", "gave_up")


@pytest.mark.parametrize("deaths", [1, 3])
def test_an_answer_counts_in_full_though_whoever_asked_for_it_died(post, gemini, deaths):
    for _ in range(deaths):
        advance(post, killed_after="analyse")
    advance(post)
    answer = ModelAnswer.objects.get(post_analysis=post)
    assert (post.status, len(gemini.asked)) == ("COMPLETED", 1)
    assert counted(post) == {"vendor_calls": 1, "tokens": sum(answer.tokens.values()), "cost": answer.cost_micros}
    assert (answer.cost_micros or 0) > 0


def asking(*ends):
    """A stage that asks a model each time it is run, and then comes to one of these ends after the other."""
    left = list(ends)

    def does(work):
        announce(
            VendorCall(
                vendor="gemini", operation="complete", outcome="ok", duration_ms=1, model="gemini-3.6-flash",
                units=UNITS,
            )
        )  # fmt: skip
        ModelAnswer.objects.create(
            post_analysis_id=work.id, fence=work.fence, provider="gemini", model="gemini-3.6-flash",
            prompt_version="1", prompt="Why?", tokens=TOKENS,
        )  # fmt: skip
        match left.pop(0):
            case "dies":
                raise Killed
            case "waits":
                raise VendorTimeout
        return Product()

    return stages_of(Fake("one", does, most_tries=4, progress=100))


@pytest.mark.parametrize(
    "ends",
    [
        ["ends"],
        ["dies", "ends"],
        ["waits", "dies", "ends"],
        ["dies", "waits", "ends"],
        ["dies", "dies", "waits", "ends"],
        ["dies", "waits", "dies", "ends"],
        ["dies", "dies", "dies", "dies"],  # and then it is given up
    ],
)
def test_what_was_paid_for_is_counted_once_in_whatever_order_workers_die_and_try_again(user, ends):
    [post] = make_request(user)[1]
    stages = asking(*ends)
    for _ in range(5):
        PostAnalysis.objects.filter(pk=post.pk).update(run_after=None)
        advance(post, stages=stages)
    assert post.status in ("COMPLETED", "FAILED")
    assert counted(post) == {name: count * len(ends) for name, count in EACH.items()}


def test_answers_of_no_use_count_too(post, hesitant, settings):
    settings.ANALYSIS_PROVIDERS, hesitant.broken = ["gemini", "rules"], 9
    advance(post)
    answers = ModelAnswer.objects.filter(post_analysis=post, provider="gemini")
    assert (post.provider, answers.count()) == ("rules", 2)
    assert counted(post)["tokens"] == sum(sum(answer.tokens.values()) for answer in answers)


def test_a_good_answer_is_not_bought_again_when_the_user_tries_again(user, post, gemini):
    give_up(post)
    services.retry(user, post.request_id)
    advance(post)
    assert (post.status, post.provider, len(gemini.asked)) == ("COMPLETED", "gemini", 1)
    assert counted(post)["vendor_calls"] == 1


def test_answers_of_no_use_do_not_keep_a_user_from_trying_again(user, post, hesitant):
    hesitant.broken = 2
    for _ in range(4):
        PostAnalysis.objects.filter(pk=post.pk).update(run_after=None)
        advance(post)
    assert (post.status, post.error_category, len(hesitant.asked)) == ("FAILED", "invalid_answer", 2)
    services.retry(user, post.request_id)
    advance(post)
    assert (post.status, len(hesitant.asked), counted(post)["vendor_calls"]) == ("COMPLETED", 3, 3)


def test_a_step_that_the_team_runs_again_asks_anew(post, gemini):
    advance(post)
    services.run_again(post.pk, "analyse")
    advance(post)
    assert (post.status, len(gemini.asked), counted(post)["vendor_calls"]) == ("COMPLETED", 2, 2)


def test_an_answer_is_found_again_whatever_the_clock_of_the_worker_said(post, gemini):
    advance(post, killed_after="analyse")
    ModelAnswer.objects.update(created_at=timezone.now() - timedelta(days=1))
    advance(post)
    assert (post.status, len(gemini.asked)) == ("COMPLETED", 1)


def test_an_answer_to_other_orders_is_none_to_ours(post, gemini):
    advance(post, killed_after="analyse")
    ModelAnswer.objects.update(prompt_version="of last week")
    advance(post)
    assert (post.status, len(gemini.asked)) == ("COMPLETED", 2)
