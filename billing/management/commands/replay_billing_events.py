"""Process stored events again: after an outage, or once what they stumbled over is mended."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from billing.inbox import replay
from billing.models import BillingEvent


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
        self.stdout.write(f"{replay(events)} events are processed again.")
