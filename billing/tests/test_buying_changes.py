"""A plan is changed, cancelled, resumed: one outcome whatever comes between, and nothing that was not confirmed."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts.models import Subscription
from accounts.usage import get_user_plan, get_user_subscription
from billing.news import look_and_tell

pytestmark = pytest.mark.django_db


def refused(answer):
    return answer.status_code, answer.json()["code"]


# The card


def test_a_card_that_is_declined_changes_nothing(api, user, either):
    either.buy(api)
    before = get_user_subscription(user)
    either.decline()
    answer = either.ask(api, "upgrade", "agency")
    assert refused(answer) == (402, "payment_failed")
    assert answer.json()["details"] == {"reason": "card_declined"}
    either.deliver()
    after = get_user_subscription(user)
    assert (after.plan, after.status, after.current_period_end) == (
        before.plan,
        before.status,
        before.current_period_end,
    )
    assert len(either.charges()) == 1


def test_another_card_makes_the_change_after_all(api, user, either):
    either.buy(api)
    either.decline()
    either.ask(api, "upgrade", "agency")
    either.accept()
    assert either.ask(api, "upgrade", "agency").json()["plan"]["slug"] == "agency"
    either.deliver()
    assert (len(either.charges()), get_user_plan(user).slug) == (2, "agency")


def test_a_bank_that_asks_is_answered_on_a_page(api, user, either):
    either.buy(api)
    either.ask_bank()
    answer = either.ask(api, "upgrade", "agency")
    assert refused(answer) == (402, "payment_needs_confirmation")
    assert get_user_plan(user).slug == "pro"
    either.confirm(answer.json()["details"]["confirm_url"])
    either.deliver()
    assert (get_user_plan(user).slug, len(either.charges())) == ("agency", 2)


def test_a_declined_upgrade_leaves_what_was_planned(api, user, either):
    either.buy(api, "pro")
    either.ask(api, "cancel")
    either.decline()
    assert refused(either.ask(api, "upgrade", "agency")) == (402, "payment_failed")
    either.deliver()
    live = get_user_subscription(user)
    assert (live.status, live.cancel_at_period_end, live.plan.slug) == ("CANCELING", True, "pro")


# What is planned


def test_an_upgrade_wins_over_a_cancellation(api, user, either):
    either.buy(api, "pro")
    either.ask(api, "cancel")
    upgraded = either.ask(api, "upgrade", "agency").json()
    assert (upgraded["plan"]["slug"], upgraded["status"], upgraded["cancel_at_period_end"]) == (
        "agency",
        "ACTIVE",
        False,
    )


def test_a_downgrade_waits_and_a_second_thought_undoes_it(api, user, either):
    either.buy(api, "agency")
    for undo in (lambda: either.ask(api, "resume"), lambda: either.ask(api, "upgrade", "agency")):
        later = either.ask(api, "upgrade", "pro").json()
        assert (later["plan"]["slug"], later["downgrade_to_plan"]["slug"]) == ("agency", "pro")
        assert undo().json()["downgrade_to_plan"] is None
        either.deliver()
        assert get_user_subscription(user).downgrade_to_plan is None
    assert len(either.charges()) == 1


def test_a_cancellation_wins_over_a_downgrade_and_both_can_be_undone(api, user, either):
    either.buy(api, "agency")
    either.ask(api, "upgrade", "pro")
    cancelled = either.ask(api, "cancel").json()
    assert (cancelled["status"], cancelled["downgrade_to_plan"]) == ("CANCELING", None)
    either.deliver()
    resumed = either.ask(api, "resume").json()
    assert (resumed["status"], resumed["downgrade_to_plan"], resumed["plan"]["slug"]) == ("ACTIVE", None, "agency")


def test_a_downgrade_wins_over_a_cancellation(api, user, either):
    either.buy(api, "agency")
    either.ask(api, "cancel")
    later = either.ask(api, "upgrade", "pro").json()
    assert (later["status"], later["downgrade_to_plan"]["slug"]) == ("ACTIVE", "pro")


def test_a_downgrade_that_fails_leaves_the_cancellation(api, user, either):
    either.buy(api, "agency")
    either.ask(api, "cancel")
    either.fail("schedule", status=503)
    assert refused(either.ask(api, "upgrade", "pro")) == (503, "vendor_unavailable")
    either.deliver()
    assert get_user_subscription(user).status == "CANCELING"


def test_free_is_a_cancellation(api, either):
    either.buy(api)
    answer = either.ask(api, "upgrade", "free").json()
    assert (answer["status"], answer["plan"]["slug"]) == ("CANCELING", "pro")


def test_the_same_plan_again_stays(api, either):
    either.buy(api)
    answer = either.ask(api, "upgrade", "pro")
    assert (answer.status_code, answer.json()["status"]) == (200, "ACTIVE")
    assert len(either.charges()) == 1


def test_each_wish_can_be_had_again(api, user, either):
    """A provider that remembers what was asked must not answer it with what it did then."""
    either.buy(api, "agency")
    for _ in range(2):
        assert either.ask(api, "upgrade", "pro").json()["downgrade_to_plan"]["slug"] == "pro"
        assert either.ask(api, "cancel").json()["status"] == "CANCELING"
        assert either.ask(api, "resume").json()["status"] == "ACTIVE"


# What is owed, and what has ended


def test_while_a_renewal_is_owed_nothing_is_changed_but_it_can_be_cancelled(api, user, either):
    either.buy(api)
    either.decline()
    either.renew(get_user_subscription(user))
    # Before and after the event is here.
    assert refused(either.ask(api, "upgrade", "agency")) == (409, "payment_due")
    either.deliver()
    assert get_user_subscription(user).status == "PAST_DUE"
    for verb in ("upgrade", "upgrade/preview"):
        assert refused(either.ask(api, verb, "agency")) == (409, "payment_due")
    assert either.ask(api, "cancel").json()["plan"]["slug"] == "free"


def test_what_has_ended_at_the_provider_is_neither_changed_nor_resumed(api, user, either):
    either.buy(api)
    live = get_user_subscription(user)
    either.provider.cancel(live.provider_id, now=True)
    assert refused(either.ask(api, "upgrade", "agency")) == (409, "subscription_ended")
    assert get_user_subscription(user).status == "CANCELING"
    either.deliver()
    card, shown = either.ask(api, "payment-methods/update"), either.ask(api, "upgrade/preview", "pro")
    for answer in (card, shown, either.ask(api, "resume"), either.ask(api, "upgrade", "agency")):
        assert refused(answer) == (409, "subscription_ended")
        assert "subscribe/" in answer.json()["error"]
    assert either.ask(api, "cancel").status_code == 200
    assert len(either.charges()) == 1


def test_after_an_end_at_the_provider_a_plan_can_be_bought_again(api, user, either):
    either.buy(api)
    old = get_user_subscription(user)
    either.provider.cancel(old.provider_id, now=True)
    either.deliver()
    lost = either.ask(api, "subscribe", "agency", provider=either.name).json()["replaces"]
    assert (lost["plan"]["slug"], datetime.fromisoformat(lost["until"])) == ("pro", old.current_period_end)
    either.buy(api, "agency")
    live = get_user_subscription(user)
    assert (live.plan.slug, live.status, live.pk != old.pk) == ("agency", "ACTIVE", True)
    look_and_tell(either.provider, old.provider_id)
    old.refresh_from_db()
    assert (old.status, get_user_subscription(user).pk) == ("CANCELLED", live.pk)
    assert (either.refunds(), Subscription.objects.filter(surplus_since__isnull=False).exists()) == ([], False)


# The preview


def test_what_is_shown_is_what_is_charged(api, either):
    either.buy(api)
    shown = either.ask(api, "upgrade/preview", "agency").json()
    assert (shown["change"], shown["effective_at"])[:1] == ("upgrade",)
    assert (shown["plan_before"], shown["plan_after"]) == ("pro", "agency")
    assert abs(datetime.fromisoformat(shown["effective_at"]) - timezone.now()) < timedelta(minutes=1)
    assert (shown["priced_at"] is None) == (either.name == "dodo")
    either.ask(api, "upgrade", "agency", priced_at=shown["priced_at"])
    assert either.charges()[1] == shown["amount"]


def test_what_waits_for_the_periods_end_is_shown_with_its_day(api, user, either):
    either.buy(api, "agency")
    ends = get_user_subscription(user).current_period_end
    for slug, change in {"pro": "downgrade", "free": "cancel"}.items():
        shown = either.ask(api, "upgrade/preview", slug).json()
        assert (shown["change"], shown["amount"], shown["priced_at"]) == (change, 0, None)
        assert shown["effective_at"] == ends.isoformat(timespec="auto").replace("+00:00", "Z")


def test_to_stay_is_shown_as_what_it_does(api, user, either):
    either.buy(api, "agency")
    either.ask(api, "cancel")
    shown = either.ask(api, "upgrade/preview", "agency").json()
    assert (shown["change"], shown["amount"], shown["plan_before"]) == ("stay", 0, "agency")
    assert either.ask(api, "upgrade", "agency").json()["status"] == "ACTIVE"
    assert len(either.charges()) == 1


@pytest.mark.parametrize("minutes", [-11, 11])
def test_an_old_preview_is_not_charged(api, either, minutes):
    either.buy(api)
    moment = timezone.now() + timedelta(minutes=minutes)
    answer = either.ask(api, "upgrade", "agency", priced_at=moment.isoformat())
    assert (refused(answer), len(either.charges())) == ((409, "preview_too_old"), 1)
