"""`manage.py ship_logs`: the process that brings what waits in the spool to PostgreSQL."""

import signal
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from logs.shipper import Shipper


class Command(BaseCommand):
    """Runs until it is asked to stop."""

    help = "Ships the rows of logs that wait in the spool to PostgreSQL, until it is asked to stop."
    # It must wait for the database, not depend on it.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Shipper(settings.SPOOL_DIR).run(stop)
