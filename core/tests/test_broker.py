"""Celery's way to Redis keeps what it would make again for every message."""

import os

import pytest
from celery import current_app
from celery.app.defaults import SETTING_KEYS
from django.conf import settings

from core.broker import Channel
from core.ids import uuid7
from core.queue import _reach, count_waiting, enqueue


@pytest.fixture
def channel():
    held: list[Channel] = []
    assert _reach(lambda producer: held.append(producer.channel), task="look")
    return held[0]


def test_messages_go_through_one_client(channel):
    assert isinstance(channel, Channel)
    first = channel._create_client()
    assert enqueue("billing.process_event", uuid7())
    assert channel._create_client() is first
    assert count_waiting("default") == 1


def test_a_client_goes_with_its_pool(channel):
    first = channel._create_client()
    channel._disconnect_pools()
    second = channel._create_client()
    assert second is not first
    assert second.connection_pool is channel.pool
    assert second.ping()


def test_a_fork_speaks_through_connections_of_its_own(channel):
    mine = channel._create_client().client_id()
    end, other_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            theirs = channel._create_client().client_id()
            os.write(other_end, str(theirs).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    theirs = int(os.read(end, 20))
    assert mine != theirs
    assert channel._create_client().client_id() == mine


def test_celery_knows_its_settings_by_heart():
    assert set(SETTING_KEYS) <= set(current_app.conf.changes)
    assert current_app.conf.task_routes == settings.CELERY_TASK_ROUTES
    assert current_app.conf.task_acks_late is True
