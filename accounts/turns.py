"""One change of a subscription at a time: whoever asks a provider for one holds its row until the answer is there.

A lease in the row, for no transaction may be open while somebody outside is asked; one that nobody gave back runs out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db.models import DurationField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Now

from accounts.models import Subscription
from core.errors import UNCLEAR, Conflict

# So many calls one change asks of a provider at most: an upgrade looks, charges, looks what was planned, takes that off
# with four, and looks what has come of it; the ninth is for our own statements.
MOST_CALLS = 9
# What was not answered, or by a gateway only, may still be carried out.
AFTERMATH = timedelta(seconds=15)


class ChangeUnderWay(Conflict):
    """Your plan is being changed already, perhaps in another tab. Please try again when that is done."""

    code = "change_under_way"
    retryable = True


@contextmanager
def turn(subscription: Subscription) -> Iterator[None]:
    row = Subscription.objects.filter(pk=subscription.pk)
    if not row.filter(is_free()).update(changing_until=Now() + lease()):
        raise ChangeUnderWay(retry_after=_rest(row))
    # Only as long as it is ours: one that took too long has lost it, perhaps to another.
    ours = row.filter(changing_until=row.values_list("changing_until", flat=True).get())
    until = None
    try:
        yield
    except UNCLEAR:
        until = Now() + AFTERMATH
        raise
    finally:
        ours.update(changing_until=until)


def is_free() -> Q:
    return Q(changing_until=None) | Q(changing_until__lte=Now())


def lease() -> timedelta:
    """Longer than all that one change asks, however slowly it is answered."""
    return timedelta(seconds=MOST_CALLS * max(settings.STRIPE_SECONDS, settings.DODO_SECONDS))


def _rest(row: QuerySet[Subscription]) -> float:
    """So many seconds at most: whoever has it may give it back sooner, but what nobody answered stays held."""
    rest = ExpressionWrapper(F("changing_until") - Now(), output_field=DurationField())
    left = row.values_list(rest, flat=True).first()
    return max(1.0, left.total_seconds()) if left else 1.0
