"""A shop that is open: a provider's sandbox, and plans that it sells."""

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import Plan
from billing.tests.dodo_shop import led_to
from billing.tests.shops import DodoShop, Shop, StripeShop
from billing.tests.stripe_buyer import BASIC, PRO, stripe_at
from sandbox.stripe import StripeSandbox


@pytest.fixture
def shop(settings: Any, db: None) -> Iterator[StripeSandbox]:
    """Stripe, where Agency is the dearer plan and Pro the cheaper one."""
    Plan.objects.filter(slug="pro").update(products={"stripe": BASIC})
    Plan.objects.filter(slug="agency").update(products={"stripe": PRO})
    with stripe_at(settings) as sandbox:
        yield sandbox


@pytest.fixture(params=["stripe", "dodo"])
def either(request: pytest.FixtureRequest, settings: Any, db: None) -> Iterator[Shop]:
    """The same shop at the one provider, and then at the other."""
    if request.param == "stripe":
        with stripe_at(settings) as stripe:
            yield StripeShop(stripe)
    else:
        with led_to(settings) as dodo:
            yield DodoShop(dodo)
