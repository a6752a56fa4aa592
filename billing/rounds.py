"""One round over many subscriptions, each of which is asked about at its provider: at a pace, and not for ever."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from django.db.models import F, QuerySet

from accounts.models import Subscription
from billing.providers import PROVIDERS
from billing.providers.contract import Provider
from core.errors import NotConfigured, Problem, VendorBusy

AT_ONCE = 500
# A provider that has failed so often running is not asked any more in this round.
MOST_SILENCES = 5
# Shorter than a task may take.
LONGEST = timedelta(seconds=90)
# Seconds: between two rows, and for a provider that asks us to slow down, each time and altogether.
PACE, PAUSE, LONGEST_PAUSE, MOST_WAITING = 0.05, 2.0, 20.0, 60.0
SLOW_DOWN = 429
# Of a key that is refused it is no use to ask for each of many.
REFUSED_TO_ALL = {401, 403}

log = structlog.get_logger(__name__)


@dataclass
class Round:
    """How far its providers could be asked until now, and what that put right."""

    wait: Callable[[float], None] = time.sleep
    silent: Counter[str] = field(default_factory=Counter)
    waited: float = 0.0
    put_right: Counter[str] = field(default_factory=Counter)
    ends_at: float = field(default_factory=lambda: time.monotonic() + LONGEST.total_seconds())

    def over(self, rows: QuerySet[Subscription], *, is_paced: bool = False) -> Iterator[Subscription]:
        """Each once, as it is when its turn comes; whatever was not looked at for longest comes first."""
        order = F("seen_at").asc(nulls_first=True), "pk"
        waiting = list(rows.order_by(*order).values_list("pk", flat=True))
        for start in range(0, len(waiting), AT_ONCE):
            some = rows.in_bulk(waiting[start : start + AT_ONCE])
            for pk in waiting[start : start + AT_ONCE]:
                if time.monotonic() > self.ends_at:
                    log.warning("round_cut_short", left=len(waiting) - start)
                    return
                if pk in some:
                    yield some[pk]
                    if is_paced:
                        self.wait(PACE)

    def ask(self, subscription: Subscription, act: Callable[[Provider, Subscription], None]) -> bool:
        """False where its provider cannot be asked now."""
        provider = PROVIDERS[subscription.provider]()
        while self.silent[provider.name] < MOST_SILENCES:
            try:
                act(provider, subscription)
            except Problem as problem:
                if self._waits_for(problem):
                    continue
                log.warning("subscription_not_looked_at", subscription=str(subscription.pk), code=problem.code)
                self.silent[provider.name] += _concerns_all(problem)
                return False
            self.silent[provider.name] = 0
            return True
        return False

    def _waits_for(self, problem: Problem) -> bool:
        if not isinstance(problem, VendorBusy) or problem.details.get("status") != SLOW_DOWN:
            return False
        pause = min(problem.retry_after or PAUSE, LONGEST_PAUSE)
        if self.waited + pause > MOST_WAITING:
            return False
        self.waited += pause
        self.wait(pause)
        return True


def _concerns_all(problem: Problem) -> bool:
    is_refused = isinstance(problem, NotConfigured) or problem.details.get("status") in REFUSED_TO_ALL
    return problem.retryable or is_refused
