"""Celery's way to Redis keeps what it would make again for every message."""

import base64
import json
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


# Of one message alone; and how long a task may take, which a worker looks up where the message is silent.
OF_ITS_OWN = {"id", "root_id", "published_at", "timelimit"}


def told_in_the_queue(queue, channel):
    text = channel.client.rpop(queue)
    message = json.loads(text)
    about = {name: value for name, value in message["headers"].items() if name not in OF_ITS_OWN}
    return about, base64.b64decode(message["body"]), message["properties"]["delivery_info"]


@pytest.mark.parametrize(
    ("task", "queue"),
    [("analysis.advance", "io"), ("analysis.answer", "chat"), ("billing.process_event", "default"),
     ("billing.tidy", "default"), ("of.another.service", "default"), ("social.collect_again", "io")],
)  # fmt: skip
def test_a_message_says_what_celery_itself_would_say(channel, task, queue):
    given = [str(uuid7()), "io"]
    # Two are sent down a queue by who sends them, the others by the routes.
    named = queue if task.startswith("analysis.") else None
    assert enqueue(task, *given, queue=named)
    current_app.send_task(task, args=given, queue=named)
    ours, theirs = told_in_the_queue(queue, channel), told_in_the_queue(queue, channel)
    assert ours == theirs


def test_celery_knows_its_settings_by_heart():
    assert set(SETTING_KEYS) <= set(current_app.conf.changes)
    assert current_app.conf.task_routes == settings.CELERY_TASK_ROUTES
    assert current_app.conf.task_acks_late is True
