"""A shop that is open: a provider's sandbox, and plans that it sells."""

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import Plan
from billing.tests.stripe_buyer import BASIC, PRO, stripe_at
from sandbox.stripe import StripeSandbox


@pytest.fixture
def shop(settings: Any, db: None) -> Iterator[StripeSandbox]:
    """Stripe, where Agency is the dearer plan and Pro the cheaper one."""
    Plan.objects.filter(slug="pro").update(products={"stripe": BASIC})
    Plan.objects.filter(slug="agency").update(products={"stripe": PRO})
    with stripe_at(settings) as sandbox:
        yield sandbox
