"""What beat sends, and what it does not send where enough waits."""

from datetime import timedelta

import pytest
from celery.beat import ScheduleEntry
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from analysis.chat import services
from analysis.chat.models import ChatMessage
from analysis.tests.talking import answer_row, session_of
from config import beat
from config.beat import Scheduler
from config.celery import app
from config.heartbeat import ages
from config.queues import count_waiting
from config.schedule import SCHEDULE
from core import redis
from core.queue import enqueue


@pytest.fixture
def scheduler():
    return Scheduler(app=app, lazy=True)


def entry(name):
    return ScheduleEntry(name=name, app=app, **SCHEDULE[name])


def send(scheduler, name, times):
    for _ in range(times):
        scheduler.apply_entry(entry(name))


def test_heartbeats_do_not_pile_up_where_there_is_no_worker(scheduler):
    send(scheduler, "heartbeat-cpu", 20)
    assert count_waiting("cpu") == beat.ENOUGH_FOR_A_HEARTBEAT


def test_no_heartbeat_is_sent_where_work_waits_but_a_sweep_is(scheduler):
    for _ in range(beat.ENOUGH_FOR_A_HEARTBEAT):
        enqueue("accounts.send_mail", "an-id")
    send(scheduler, "heartbeat-default", 1)
    assert count_waiting("default") == beat.ENOUGH_FOR_A_HEARTBEAT
    send(scheduler, "send-waiting-mail", 1)
    assert count_waiting("default") == beat.ENOUGH_FOR_A_HEARTBEAT + 1


def test_sweeps_do_not_pile_up_for_ever(scheduler):
    send(scheduler, "send-waiting-mail", 3)
    assert count_waiting("default") == 3
    for _ in range(beat.ENOUGH - 3):
        enqueue("accounts.send_mail", "an-id")
    send(scheduler, "send-waiting-mail", 3)
    assert count_waiting("default") == beat.ENOUGH


def test_beat_shows_life_also_by_what_it_does_not_send(scheduler):
    send(scheduler, "heartbeat-io", beat.ENOUGH_FOR_A_HEARTBEAT)
    assert ages()["beat"] is not None
    redis.client().delete("heartbeat:beat")
    send(scheduler, "heartbeat-io", 1)
    assert ages()["beat"] is not None


def test_a_broker_that_is_away_is_no_sign_of_life(scheduler, celery_broker, settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:9/1"
    celery_broker(settings.CELERY_BROKER_URL)
    with app.connection_for_write() as connection:
        scheduler.apply_entry(entry("heartbeat-io"), producer=app.amqp.Producer(connection, auto_declare=False))
    assert ages()["beat"] is None


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_a_release_no_longer_has_is_not_sent_for_ever():
    every = IntervalSchedule.objects.create(every=1, period="days")
    PeriodicTask.objects.create(name="of-an-earlier-release", task="analytics.gone", interval=every)
    Scheduler(app=app, lazy=True).setup_schedule()
    kept = set(PeriodicTask.objects.values_list("name", flat=True))
    assert "of-an-earlier-release" not in kept
    assert set(SCHEDULE) <= kept


def test_every_task_that_beat_sends_is_there():
    app.loader.import_default_modules()
    assert {each["task"] for each in SCHEDULE.values()} <= set(app.tasks)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_beat_sends_for_answers_ends_those_that_broke_off(user):
    asked = services.ask(user, session_of(user).pk, "What?")
    ChatMessage.objects.filter(pk=asked).update(fence=1, lease_until=timezone.now() - timedelta(seconds=1))
    app.tasks[SCHEDULE["sweep-answers"]["task"]].apply()
    assert answer_row(asked).status == "interrupted"
