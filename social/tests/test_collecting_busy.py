"""Vendors that are busy and say when to come again: whoever waits hears it, and nobody asks before."""

from datetime import timedelta
from typing import ClassVar

import pytest
from django.db.models import F
from django.utils import timezone

from core.errors import VendorBusy, VendorRefused, VendorTimeout
from social.collecting import collect
from social.errands import RETRY_REST
from social.models import Wanted
from social.scrapers import SCRAPERS
from social.tests.fakes import ADDRESS, Fake

pytestmark = pytest.mark.django_db
BUSY = VendorBusy(retry_after=600)


class First(Fake):
    answers: ClassVar[list] = []
    asked: ClassVar[list] = []


class Second(Fake):
    name = "second"
    answers: ClassVar[list] = []
    asked: ClassVar[list] = []


@pytest.fixture(autouse=True)
def _scrapers(monkeypatch, settings):
    for scraper in (First, Second):
        scraper.answers.clear()
        scraper.asked.clear()
        monkeypatch.setitem(SCRAPERS, scraper.name, scraper)
    settings.SCRAPERS = {"x": ["first"], "instagram": [], "youtube": []}


def let_pass(seconds):
    by = timedelta(seconds=seconds)
    Wanted.objects.filter(state="failed").update(finished_at=F("finished_at") - by, busy_until=F("busy_until") - by)


def test_nobody_asks_before_the_vendor_wants_it_and_all_are_told_when_that_is():
    First.answers.append(BUSY)
    first = collect([ADDRESS]).failed[ADDRESS]
    let_pass(400)
    later = collect([ADDRESS]).failed[ADDRESS]
    assert (first.code, later.code) == ("vendor_busy", "vendor_busy")
    assert first.retry_after == pytest.approx(600, abs=10)
    assert later.retry_after == pytest.approx(200, abs=10)
    assert len(First.asked) == 1
    let_pass(210)
    assert ADDRESS in collect([ADDRESS]).stored
    assert Wanted.objects.get().busy_until is None


def test_a_vendor_that_is_busy_for_a_moment_is_left_alone_like_any_that_failed():
    First.answers.append(VendorBusy(retry_after=2))
    assert collect([ADDRESS]).failed[ADDRESS].retry_after == pytest.approx(RETRY_REST.total_seconds(), abs=5)


@pytest.mark.parametrize(
    ("first", "second", "seconds"),
    [
        (BUSY, VendorBusy(retry_after=200), 200),
        (VendorBusy(retry_after=200), BUSY, 200),
        # To ask the second again would not help: only the first may know it later.
        (BUSY, VendorRefused(), 600),
        (VendorRefused(), BUSY, 600),
        # One of them may know it at any time.
        (BUSY, VendorTimeout(), None),
        (VendorTimeout(), BUSY, None),
        (BUSY, VendorBusy(), None),
    ],
)
def test_of_several_the_first_that_may_know_it_is_waited_for(settings, first, second, seconds):
    settings.SCRAPERS["x"] = ["first", "second"]
    First.answers.append(first)
    Second.answers.append(second)
    told = collect([ADDRESS]).failed[ADDRESS].retry_after
    assert told == (seconds and pytest.approx(seconds, abs=5))


def test_what_is_collected_in_between_forgets_who_was_busy():
    First.answers.append(BUSY)
    collect([ADDRESS])
    assert ADDRESS in collect([ADDRESS], newer_than=timezone.now()).stored
    assert Wanted.objects.get().busy_until is None
