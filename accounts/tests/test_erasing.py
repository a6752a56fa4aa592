"""Erasures that cannot be done yet: they rest between two tries, hold nobody up, and are no failed tasks."""

import pytest
from django.db.models.functions import Now

from accounts.models import User
from accounts.services import ERASURE_REST, ERASURES_AT_ONCE, ask_erasure, try_to_erase, waiting_erasures
from accounts.tasks import erase_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(clerk):
    """Somebody of Clerk's who has asked to be forgotten."""
    asked = User.objects.create_user("ana@example.com", provider="clerk", provider_id=clerk.add_user("ana@example.com"))
    ask_erasure(asked)
    return asked


def test_an_erasure_that_has_to_wait_is_no_failed_task_and_is_said(ana, clerk, caplog):
    clerk.fail("*", status=503, times=-1)
    erase_account(str(ana.pk))
    assert User.objects.filter(pk=ana.pk).exists()
    assert [(record.levelname, "vendor_unavailable" in record.getMessage()) for record in waits(caplog)] == [
        ("WARNING", True)
    ]


def test_what_does_not_pass_by_itself_is_an_error_in_the_log(ana, clerk, caplog):
    clerk.fail("*", status=403, times=-1)
    erase_account(str(ana.pk))
    assert User.objects.filter(pk=ana.pk).exists()
    assert [record.levelname for record in waits(caplog)] == ["ERROR"]


def waits(caplog):
    return [record for record in caplog.records if "erasure_waits" in record.getMessage()]


def test_it_rests_between_two_tries_and_then_comes(ana, clerk):
    clerk.fail("*", status=503, times=-1)
    assert waiting_erasures() == [str(ana.pk)]
    assert not try_to_erase(str(ana.pk))
    assert waiting_erasures() == []
    clerk.reset()
    assert not try_to_erase(str(ana.pk))
    User.objects.filter(pk=ana.pk).update(erasure_tried_at=Now() - ERASURE_REST)
    assert waiting_erasures() == [str(ana.pk)]
    assert try_to_erase(str(ana.pk))
    assert not User.objects.filter(pk=ana.pk).exists()


def test_who_asks_again_is_tried_at_once(ana, clerk):
    clerk.fail("*", status=503, times=-1)
    try_to_erase(str(ana.pk))
    ask_erasure(ana)
    assert waiting_erasures() == [str(ana.pk)]


def test_a_hundred_that_cannot_be_done_hold_up_nobody(user):
    stuck = [User(email=f"stuck-{number}@example.com", is_active=False) for number in range(ERASURES_AT_ONCE + 20)]
    User.objects.bulk_create(stuck)
    names = [each.pk for each in stuck]
    User.objects.filter(pk__in=names).update(erasure_asked_at=Now(), erasure_tried_at=Now() - 2 * ERASURE_REST)
    ask_erasure(user)
    assert waiting_erasures()[0] == str(user.pk)
    # Of those that were tried, whoever has rested longest comes first, so each has its turn.
    User.objects.filter(pk=names[-1]).update(erasure_tried_at=Now() - 3 * ERASURE_REST)
    assert waiting_erasures()[1] == str(names[-1])
    assert len(waiting_erasures()) == ERASURES_AT_ONCE


def test_who_has_not_asked_is_not_tried(user):
    assert not try_to_erase(str(user.pk))
    assert User.objects.filter(pk=user.pk).exists()
