"""What is counted of tasks, by a worker that really runs them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from celery.exceptions import TimeLimitExceeded
from django.conf import settings as configured
from django.db import connection

from config import queues, tally
from config.celery import app
from config.heartbeat import ages, heartbeat
from core import redis

HERE = Path(__file__).resolve().parent


@pytest.fixture
def worker(tmp_path):
    """Start a worker of every queue that knows the tasks on trial."""
    running = []

    def start():
        name = connection.settings_dict["NAME"]
        database = f"postgresql://postgres@{connection.settings_dict['HOST'].replace('/', '%2F')}/{name}"
        command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--pool=solo", "--include=trial_tasks"]
        mine = {"DATABASE_URL": database, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
        with (tmp_path / "worker.log").open("wb") as log:
            more = ["--without-gossip", f"--queues={','.join(configured.CELERY_TASK_QUEUES)}"]
            running.append(
                subprocess.Popen(
                    [*command, *more], env={**os.environ, **mine}, stdout=log, stderr=log, start_new_session=True
                )
            )

    yield start
    for process in running:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until_all_is_done():
    deadline = time.monotonic() + 40
    while any(queue.messages for queue in queues.look()[0].values()) or queues.look()[1]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ends(task):
    return {what: number for (what, of), number in tally.read().tasks.items() if of == task}


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_worker_counts_what_it_does_and_how_long_it_waited(worker):
    app.send_task("trial.succeed", queue="cpu")
    app.send_task("trial.succeed", args=[0.3])
    app.send_task("trial.fail")
    app.send_task("trial.retry")
    app.send_task("trial.succeed", expires=0.1)
    time.sleep(0.3)
    worker()
    until_all_is_done()
    assert ends("trial.succeed") == {"started": 2, "succeeded": 2, "revoked": 1}
    assert ends("trial.fail") == {"started": 1, "failed": 1}
    assert ends("trial.retry") == {"started": 2, "retried": 1, "failed": 1}
    counted = tally.read()
    assert sum(counted.seconds["trial.succeed"].buckets.values()) == 2
    assert counted.seconds["trial.succeed"].buckets[0.5] == 1
    assert sum(counted.dwell["cpu"].buckets.values()) == 1
    assert 0.3 <= counted.dwell["cpu"].total < 40
    assert {part for part, age in ages().items() if age is not None} == {"worker:cpu", "worker:default"}


def test_a_process_that_was_killed_over_its_time_limit_counts_as_failed():
    tally.count_kill(sender=heartbeat, exception=TimeLimitExceeded(150))
    tally.count_kill(sender=heartbeat, exception=ValueError())
    assert ends("config.heartbeat") == {"failed": 1}


def test_tasks_run_without_redis_and_only_their_numbers_are_missing(settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert heartbeat.apply().successful()


def test_there_are_only_so_many_fields_however_often_it_runs():
    for _ in range(40):
        heartbeat.apply()
    assert ends("config.heartbeat") == {"started": 40, "succeeded": 40}
    assert redis.client().hlen(tally.KEY) <= 2 + len(tally.BOUNDS) + 1


def test_what_an_older_release_counted_otherwise_does_no_harm():
    redis.client().hset(tally.KEY, mapping={"started|trial": 3, "seconds|trial|0.77": 1, "seconds|trial|sum": 500_000})
    counted = tally.read()
    assert counted.tasks == {("started", "trial"): 3}
    assert counted.seconds["trial"].total == 0.5
    assert list(counted.seconds["trial"].buckets) == list(tally.BOUNDS)
