"""Count the roll-ups anew from the rows of the logs."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from analytics.management.days import day
from analytics.recount import rebuild_rollups


class Command(BaseCommand):
    """`manage.py rebuild_rollups [--since DAY]`."""

    help = "Count the roll-ups anew, a day at a time; days whose rows have been dropped stay as they were counted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=day, help="The first day (2026-11-01); without it, all there are rows of.")

    def handle(self, *args: Any, since: datetime | None, **options: Any) -> str:
        return f"{rebuild_rollups(since)} days counted."
