"""Price vendor calls anew, after a price has been entered or mended."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from analytics.management.days import day
from analytics.recount import recompute_costs


class Command(BaseCommand):
    """`manage.py recompute_costs --since DAY --until DAY [--vendor NAME]`."""

    help = "Give every call of these days its price as prices are known now, and count their roll-ups anew."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=day, required=True, help="The first day, like 2026-11-01.")
        parser.add_argument("--until", type=day, required=True, help="The last day.")
        parser.add_argument("--vendor", default="", help="This vendor's calls only.")

    def handle(self, *args: Any, since: datetime, until: datetime, vendor: str, **options: Any) -> str:
        return f"{recompute_costs(since, until, vendor=vendor)} costs changed."
