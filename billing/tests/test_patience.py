"""How much one user may have a provider asked, and how long one change may take: the others have a share of both."""

from datetime import timedelta

import pytest

from accounts.models import Subscription
from accounts.turns import lease, turn
from accounts.usage import get_user_subscription
from core.ids import uuid7

pytestmark = pytest.mark.django_db


def test_what_asks_a_provider_is_counted_and_what_reads_our_rows_is_not(api, user, either, settings):
    settings.THROTTLES = {**settings.THROTTLES, "billing": (2, 3600)}
    either.buy(api)
    assert either.ask(api, "portal").status_code == 200
    before = len(either.sandbox.calls)
    for verb in ("subscribe", "upgrade", "upgrade/preview", "cancel", "resume", "portal", "payment-methods/update"):
        assert either.ask(api, verb).status_code == 429
    assert api.get(f"/api/billing/invoices/{uuid7()}/pdf/").status_code == 429
    for name in ("payments", "invoices", "refunds", "payment-methods", "subscription/history"):
        assert api.get(f"/api/billing/{name}/").status_code == 200
    assert len(either.sandbox.calls) == before


def test_a_turn_is_held_longer_than_all_that_an_upgrade_can_ask(api, user, either, settings):
    either.buy(api, "pro")
    either.ask(api, "cancel")
    either.deliver()
    either.sandbox.calls.clear()
    assert either.ask(api, "upgrade", "agency").status_code == 200
    asked = len(either.sandbox.calls)
    settings.STRIPE_SECONDS = settings.DODO_SECONDS = 30.0
    assert lease() > timedelta(seconds=30) * asked


def test_a_turn_follows_how_long_a_provider_is_waited_for(user, either, settings):
    live = get_user_subscription(user)
    settings.STRIPE_SECONDS, settings.DODO_SECONDS = 50.0, 20.0
    with turn(live):
        held = Subscription.objects.values_list("changing_until", flat=True).get(pk=live.pk)
    assert held
    assert held - live.created_at > timedelta(seconds=400)
