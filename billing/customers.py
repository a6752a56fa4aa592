"""A user as a provider knows them. One customer there is one user here: its pages show all that was bought under it."""

from uuid import UUID

import structlog

from accounts.models import User
from billing.models import Customer
from billing.providers.contract import Buyer, Provider, Subscribed
from billing.providers.refusals import CustomerOfAnother

log = structlog.get_logger(__name__)


def as_buyer(user: User, provider: str) -> Buyer:
    known = Customer.objects.filter(user=user, provider=provider).values_list("customer_id", flat=True).first()
    return Buyer(user_id=str(user.pk), email=user.email, name=user.full_name, customer_id=known or "")


def require_own(user: User, provider: Provider, found: Subscribed) -> str:
    """Whoever is led to another's pages could read and end what that one pays for."""
    own = Customer.objects.filter(user=user, provider=provider.name, customer_id=found.customer_id)
    if not own.exists():
        raise CustomerOfAnother
    return found.customer_id


def remember_customer(user_id: UUID, provider: str, customer_id: str) -> None:
    """The first to be told of keeps the name; that another has bought under it too is for staff to part."""
    if not customer_id:
        return
    named = Customer.objects.filter(provider=provider, customer_id=customer_id)
    if not (owners := [*named.values_list("user_id", flat=True)]):
        new = Customer(user_id=user_id, provider=provider, customer_id=customer_id)
        Customer.objects.bulk_create([new], ignore_conflicts=True)
    elif user_id not in owners:
        log.error("customer_of_another", provider=provider, user=str(user_id), owner=str(owners[0]))


def prefer_customer(user_id: UUID, provider: str, customer_id: str) -> None:
    """Two pages that were both paid make two customers: charged are the cards of the one who has the plan."""
    known = Customer.objects.filter(provider=provider)
    if customer_id and not known.filter(customer_id=customer_id).exists():
        known.filter(user=user_id).update(customer_id=customer_id, cards_seen_at=None)
