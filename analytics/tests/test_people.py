"""What is held about a person is theirs to have, and goes when they want to be forgotten."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.export import export
from accounts.models import User
from accounts.services import ask_erasure, erase
from analytics import people
from analytics.models import APIAccessLog, AuthenticationLog, ExternalAPICallLog, SpendRollup
from analytics.recount import rebuild_rollups
from analytics.tests.test_rollups import contents, keep_calls
from core.ids import uuid7

pytestmark = pytest.mark.django_db


def visit(user_id, *, times=1, ago=timedelta(0)) -> None:
    APIAccessLog.objects.bulk_create(
        APIAccessLog(
            method="GET", route="/a/", status=200, duration_us=5, ip="192.0.2.1", user_agent="curl", user_id=user_id
        )
        for _ in range(times)
    )


def spend(user_id) -> None:
    keep_calls((timezone.now(), "acme", "posts", "", "ok", 5, "{}", user_id, None))


def test_an_erased_user_leaves_no_trace_in_the_records(user):
    other = User.objects.create_user("other@example.com", "a long password")
    for one in (user, other):
        visit(one.pk, times=3)
        spend(one.pk)
        AuthenticationLog.objects.create(user=one, event="login", success=True)
    spend(None)
    ask_erasure(user)
    erase(str(user.pk))
    mine, theirs = APIAccessLog.objects.filter(user=None), APIAccessLog.objects.filter(user=other)
    assert set(mine.values_list("ip", "user_agent")) == {(None, "")}
    assert set(theirs.values_list("ip", "user_agent")) == {("192.0.2.1", "curl")}
    assert (mine.count(), theirs.count()) == (3, 3)
    assert sorted(map(str, ExternalAPICallLog.objects.values_list("user_id", flat=True))) == sorted(
        map(str, [None, None, other.pk])
    )
    assert list(AuthenticationLog.objects.values_list("user", flat=True)) == [other.pk]
    assert dict(SpendRollup.objects.values_list("subject", "calls")) == {people.NOBODY: 2, other.pk: 1}
    kept = contents()
    rebuild_rollups()
    assert contents() == kept


def test_an_erasure_goes_on_where_it_was_interrupted(user):
    visit(user.pk, times=2)
    people.forget_person(user)
    visit(user.pk)
    people.forget_person(user)
    assert not APIAccessLog.objects.exclude(user=None).exists()


def test_many_rows_are_forgotten_a_batch_at_a_time(user, django_assert_num_queries):
    visit(user.pk, times=2001)
    with django_assert_num_queries(6):
        people.forget_person(user)
    assert not APIAccessLog.objects.exclude(user=None).exists()


def test_rows_that_arrive_after_the_erasure_are_forgotten_too(user):
    visit(user.pk)
    visit(uuid7())
    spend(uuid7())
    assert people.forget_strays() == 2
    assert list(APIAccessLog.objects.order_by("id").values_list("user_id", flat=True)) == [user.pk, None]
    assert people.forget_strays() == 0


def test_the_export_holds_the_newest_requests(user):
    visit(user.pk, times=people.EXPORTED_REQUESTS + 1)
    visit(None)
    requests = export(user)["requests"]
    assert len(requests) == people.EXPORTED_REQUESTS
    assert {row["route"] for row in requests} == {"/a/"}
