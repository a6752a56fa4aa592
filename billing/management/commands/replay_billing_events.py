"""Process stored events again: after an outage, or once what they stumbled over is mended."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

import structlog
from django.core.management.base import BaseCommand

from billing.inbox import replay
from billing.models import BillingEvent

# Named in the log; of more than these it tells how many.
MOST = 50

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """`manage.py replay_billing_events [--failed] [--id ID ...]`."""

    help = "Process stored events again. What they name is looked at where it is now, so doing it twice does no harm."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--failed", action="store_true", help="Those that were given up.")
        which.add_argument("--id", nargs="+", type=UUID, dest="ids", metavar="ID", help="These.")

    def handle(self, *args: Any, failed: bool, ids: list[UUID] | None, **options: Any) -> None:
        named = BillingEvent.objects.filter(pk__in=ids or [])
        events = BillingEvent.objects.filter(state=BillingEvent.State.FAILED) if failed else named
        again = [*events.values_list("pk", flat=True)]
        count = replay(BillingEvent.objects.filter(pk__in=again))
        # Of the desk's the history tells; a command leaves none but this.
        log.warning("billing_events_replayed", count=count, failed=failed, ids=[str(each) for each in again[:MOST]])
        self.stdout.write(f"{count} events are processed again.")
