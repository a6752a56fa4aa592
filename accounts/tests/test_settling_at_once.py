"""A subscription that is settled while something else is written into its row."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from accounts.models import Plan, Subscription
from accounts.subscriptions import Paid, await_payment, settle

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def bought(plan, provider_id):
    now = timezone.now()
    return Paid(
        provider="dodo", provider_id=provider_id, status="ACTIVE", plan=plan, period_start=now,
        period_end=now + timedelta(days=30), cancel_at_period_end=False, is_over=False, grace_until=None,
        downgrade_to=None, seen_at=now,
    )  # fmt: skip


def on_its_own(act):
    def run():
        try:
            act()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_for_somebody_held_up():
    with connection.cursor() as cursor:
        held = False
        while not held:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            held = cursor.fetchone() is not None


def test_a_turn_that_ends_while_an_event_is_settled_stays_ended(user):
    plan = Plan.objects.get(slug="pro")
    row = await_payment(user, plan, provider="dodo")
    Subscription.objects.filter(pk=row.pk).update(changing_until=timezone.now() + timedelta(minutes=2))
    free = Subscription.objects.get(user=user, status="ACTIVE")
    with transaction.atomic():
        # Whoever settles has read its row by then, and waits for the one that it ends.
        Subscription.objects.select_for_update().get(pk=free.pk)
        settling = on_its_own(lambda: settle(user.pk, ref=row.pk, paid=bought(plan, "sub_1")))
        wait_for_somebody_held_up()
        ending = on_its_own(lambda: Subscription.objects.filter(pk=row.pk).update(changing_until=None))
        ending.join(1)
    settling.join(10)
    ending.join(10)
    row.refresh_from_db()
    assert (row.status, row.changing_until) == ("ACTIVE", None)
