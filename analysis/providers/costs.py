"""What an answer cost, at the prices of this moment."""

from analysis.providers.contract import Tokens
from core import calls
from core.calls import VendorCall


def cost_of(tokens: Tokens, *, vendor: str, model: str, operation: str) -> int | None:
    """In micro-dollars; None where the price is not known.

    Reckoned from the tokens, and not from calls that were heard: a stream ends long after others were made beside it.
    """
    made = VendorCall(vendor=vendor, operation=operation, outcome="ok", duration_ms=0, model=model, units=tokens.units)
    return calls.cost_of([made])
