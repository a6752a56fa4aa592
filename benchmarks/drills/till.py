"""A till for drills: both providers on loopback, people who have bought from them, and what both have to tell of it."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.db import connection

from accounts.models import OutgoingMail, Plan, Subscription, User
from accounts.subscriptions import await_payment
from accounts.usage import ensure_live_subscription
from benchmarks.drills.drill import Scene
from billing.models import BillingEvent, Invoice, Payment
from billing.providers import PROVIDERS
from billing.providers.contract import Buyer
from core import redis
from core.ids import uuid7
from sandbox.dodo import DodoSandbox
from sandbox.stripe import StripeSandbox

PRICE = 2900
TABLES = (
    "billing_billingevent", "billing_payment", "billing_customer", "billing_refuseddelivery", "accounts_outgoingmail",
)  # fmt: skip
Signed = tuple[bytes, dict[str, str]]


@dataclass(frozen=True)
class Told:
    """An event that a provider sends, as often as need be."""

    provider: str
    id: str
    sign: Callable[[], Signed]


class Till:
    """What is sold, and the proof of what was taken for it."""

    def __init__(self, dodo: DodoSandbox, stripe: StripeSandbox) -> None:
        self.dodo, self.stripe = dodo, stripe
        self.sold = 0
        self.plan = Plan.objects.get(slug="pro")
        self.plan.products = {"dodo": dodo.add_product(PRICE), "stripe": stripe.books.add_price("price_pro", PRICE)}
        self.plan.save(update_fields=["products"])

    def sell(self, provider: str) -> User:
        """Somebody buys the plan there; nobody has told us yet."""
        user = User.objects.create_user(email=f"{uuid7()}@drill.example")
        ensure_live_subscription(user)
        row, buyer = await_payment(user, self.plan, provider=provider), Buyer(user_id=str(user.pk), email=user.email)
        page = PROVIDERS[provider]().open_checkout(
            buyer=buyer, product_id=self.plan.products[provider], ref=str(row.pk), once=str(row.pk),
            success_url="https://drill.example/", cancel_url="https://drill.example/",
        )  # fmt: skip
        if provider == "dodo":
            self.dodo.pay(page.id)
        else:
            httpx.post(page.url, data={"action": "pay"}, trust_env=False)
        self.sold += 1
        return user

    def renew(self) -> None:
        """Everybody pays for another month."""
        for each in [*self.dodo.books.subscriptions]:
            self.dodo.force_renewal(each)
        for row in self.stripe.books.all("subscription"):
            self.stripe.books.renew(row["id"])

    def take(self) -> list[Told]:
        """What both have to tell, in the order in which it happened."""
        post, outbox = self.dodo.post, self.stripe.outbox
        told = [Told("dodo", each.id, lambda each=each: post.envelope(each)) for each in post.take()]  # type: ignore[misc]
        told += [Told("stripe", each["id"], lambda each=each: outbox.signed(each)) for each in outbox.deliveries]  # type: ignore[misc]
        outbox.deliveries.clear()
        return told

    def charged(self) -> list[int]:
        """Every amount that was taken."""
        return [each.amount for each in self.dodo.books.charges] + [
            each["amount"] for each in self.stripe.books.charges()
        ]

    def broken(self) -> list[str]:
        """What does not hold once everything has been told: of events, of money, of subscriptions and of mails."""
        paid = Payment.objects.filter(status=Payment.Status.SUCCEEDED)
        letters = OutgoingMail.objects.filter(template="plan_changed")
        written = [*letters.order_by("user").values_list("user", flat=True)]
        live = Subscription.objects.filter(status__in=Subscription.LIVE, plan=self.plan)
        held = {
            "I5 an event is left": not BillingEvent.objects.filter(state__in=("received", "failed")).exists(),
            "I5 a payment is missing, or there twice": [*sorted(paid.values_list("amount", flat=True))]
            == sorted(self.charged()),
            "I5 an invoice is missing, or there twice": Invoice.objects.count() == len(self.charged()),
            "I5 a plan did not begin": live.count() == self.sold,
            "I5 a plan does not end when what is paid for does": [*self._ends(live)] == [],
            "I5 a mail is missing, or there twice": written == [*live.order_by("user").values_list("user", flat=True)],
        }  # fmt: skip
        return [what for what, holds in held.items() if not holds]

    @staticmethod
    def _ends(live: Iterable[Subscription]) -> Iterator[tuple[datetime | None, datetime | None]]:
        for row in live:
            found = PROVIDERS[row.provider]().subscription(row.provider_id or "")
            there = found.period_end if found else None
            if there != row.current_period_end:
                yield there, row.current_period_end


@contextlib.contextmanager
def open_till(scene: Scene) -> Iterator[Till]:
    """With empty books on both sides."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
        cursor.execute("DELETE FROM accounts_subscription WHERE provider <> ''")
    redis.client().flushall()
    stripe_port = urlsplit(settings.STRIPE_URL).port or 0
    [dodo_secret], [stripe_secret] = settings.DODO_WEBHOOK_SECRET, settings.STRIPE_WEBHOOK_SECRET
    with (
        DodoSandbox(port=scene.vendor_port, key=settings.DODO_API_KEY, webhook_secret=dodo_secret) as dodo,
        StripeSandbox(port=stripe_port, key=settings.STRIPE_SECRET_KEY, secret=stripe_secret, invents=False) as stripe,
    ):
        yield Till(dodo, stripe)
