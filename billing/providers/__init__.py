"""Who takes the money: one file each, chosen by name; without a name, the first that is set up."""

from collections.abc import Iterator

from billing.providers.contract import Provider
from billing.providers.dodo import Dodo
from billing.providers.stripe import Stripe

PROVIDERS: dict[str, type[Provider]] = {"dodo": Dodo, "stripe": Stripe}


def configured() -> Iterator[Provider]:
    for provider in (make() for make in PROVIDERS.values()):
        if provider.is_configured():
            yield provider
