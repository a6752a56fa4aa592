"""The app's configuration."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from logs.partitions import ensure_partitions


class LogsConfig(AppConfig):
    """The app's own log, the shipper of everybody's, and the months they consist of."""

    name = "logs"

    def ready(self) -> None:
        post_migrate.connect(_make_partitions, sender=self)


def _make_partitions(**_: Any) -> None:
    ensure_partitions()
