"""The first stage where a vendor is busy: it is waited for in the row, as long as the stage may wait."""

from datetime import timedelta
from typing import ClassVar

import pytest
from django.db.models import F
from django.utils import timezone

from analysis import pipeline, services
from analysis.models import PostAnalysis
from core.errors import VendorBusy
from social.models import Wanted
from social.scrapers import SCRAPERS
from social.tests.fakes import Fake

pytestmark = pytest.mark.django_db
ADDRESS = "https://x.com/i/status/1839019491835129889"


class Busy(Fake):
    name = "busy"
    seconds: ClassVar[float] = 600
    asked: ClassVar[list] = []

    def collect(self, addresses, *, job=""):
        self.asked.append(job)
        raise VendorBusy(retry_after=self.seconds)


@pytest.fixture(autouse=True)
def _busy(monkeypatch, settings):
    Busy.asked.clear()
    Busy.seconds = 600
    monkeypatch.setitem(SCRAPERS, "busy", Busy)
    settings.SCRAPERS = {**settings.SCRAPERS, "x": ["busy"]}


def begin(user):
    return services.request_analysis(user, [ADDRESS]).posts.get()


def advance(post):
    pipeline.advance(post.pk, "io")
    post.refresh_from_db()
    return (post.run_after - timezone.now()).total_seconds() if post.run_after else 0.0


def let_pass(post, seconds):
    by = timedelta(seconds=seconds)
    PostAnalysis.objects.filter(pk=post.pk).update(run_after=None, stage_since=post.stage_since - by)
    Wanted.objects.filter(state="failed").update(finished_at=F("finished_at") - by, busy_until=F("busy_until") - by)
    post.refresh_from_db()


def test_a_vendor_that_says_when_to_come_again_costs_no_try_and_is_not_asked_before(user):
    post, waited = begin(user), 0.0
    while waited < 600:
        seconds = advance(post)
        assert seconds > 0
        assert (post.status, post.tries, len(Busy.asked)) == ("PROCESSING", 0, 1)
        let_pass(post, seconds)
        waited += seconds
    advance(post)
    assert (post.status, len(Busy.asked)) == ("PROCESSING", 2)


def test_every_post_that_waits_for_it_is_told(user):
    first, second = begin(user), begin(user)
    for post in (first, second):
        assert advance(post) > 250
        assert post.tries == 0
    assert len(Busy.asked) == 1


@pytest.mark.parametrize("seconds", [600, 3600])
def test_it_is_waited_for_no_longer_than_the_stage_may_wait(user, seconds):
    Busy.seconds = seconds
    post, waited = begin(user), 0.0
    while post.status != "FAILED":
        seconds = advance(post)
        let_pass(post, seconds)
        waited += seconds
    assert waited < pipeline.STAGES["collect"].waits + 60
    assert (post.error_category, post.error_code, post.error_retryable) == ("rate_limit", "vendor_busy", True)
