"""A shop that is open: a provider's sandbox, and plans that it sells."""

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Plan
from billing.tests.buying import subscribe
from billing.tests.dodo_shop import led_to
from billing.tests.post import arrive
from billing.tests.shops import DodoShop, Shop, StripeShop
from billing.tests.stripe_buyer import BASIC, PRO, stripe_at
from billing.tests.tills import AnyTill, till_of
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


@pytest.fixture(params=["stripe", "dodo"])
def till(request: pytest.FixtureRequest, settings: Any, db: None) -> Iterator[AnyTill]:
    """Either shop from its keeper's side, who lets days go by and cards fail."""
    with till_of(request.param, settings) as found:
        yield found


@pytest.fixture
def bought(api: APIClient, till: AnyTill) -> str:
    """Pro, paid for and known here; its id at the provider."""
    till.press(subscribe(api)["checkout_url"], action="pay")
    arrive(till)
    return till.sold()[0].id
