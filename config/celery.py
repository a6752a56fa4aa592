"""The Celery application: it carries ids between processes and owns no truth."""

import gc
import os
from typing import Any

from celery import Celery
from celery.app.defaults import SETTING_KEYS
from celery.signals import setup_logging, task_prerun, worker_init
from django.db import close_old_connections
from django_structlog.celery.steps import DjangoStructLogInitStep

from config import tally  # noqa: F401  (its handlers listen wherever a message is sent or a task is run)
from core import broker  # noqa: F401  (from here on its transport is the one for redis://)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("whyral")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery's Django support closes the database connection around every task unless this is set, under exactly this key.
app.conf["CELERY_DB_REUSE_MAX"] = 10**9


@app.on_after_configure.connect
def know_settings(sender: Celery, **_: Any) -> None:
    """By heart: Celery looks at seven of them for each message, each time through Django's, by several names."""
    sender.conf.update({name: sender.conf[name] for name in SETTING_KEYS})


app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Celery leaves logging alone when this signal has a receiver; settings have configured it."""


@task_prerun.connect
def drop_dead_connections(**_: Any) -> None:
    # With connections kept across tasks, this is what notices that PostgreSQL was restarted.
    close_old_connections()


@worker_init.connect
def leave_code_alone(**_: Any) -> None:
    """What is loaded by now is never garbage: no collection walks it, and no forked process copies it by that."""
    gc.collect()
    gc.freeze()
