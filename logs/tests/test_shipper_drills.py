"""The record of requests through kills and outages, with the processes that production runs."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import psycopg
import pytest

from core.embedded import broker_url, database_url, postgres, redis, redis_url, servers

ROOT = Path(__file__).resolve().parents[2]
WEB = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--blocking-threads", "8"]
# Rows keep coming while one shipper after the other is killed: at a moment that no pattern of theirs can fit.
KILLS = """
import os, random, signal, time
from datetime import UTC, datetime
from threading import Event
import django
django.setup()
from django.conf import settings
from analytics.middleware import COLUMNS
from core.ids import uuid7
from core.spool import Spool
from logs.shipper import Shipper

spool = Spool("analytics_apiaccesslog", COLUMNS)
for kill in range(20):
    for number in range(2500):
        spool.append((uuid7(), datetime.now(UTC), "GET", f"kill/{kill}/", 200, number, None, "x" * 100, None, "r", ""))
    shipper = os.fork()
    if not shipper:
        Shipper(settings.SPOOL_DIR).run(Event())
    # Longer and longer, so that some have begun to ship on a machine that is slow to begin.
    time.sleep(random.uniform(0.03, 0.15) * (1 + kill / 5))
    os.kill(shipper, signal.SIGKILL)
    assert os.waitpid(shipper, 0)[1] == signal.SIGKILL
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("drills")
    with servers(home, durable=False):
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(migrate, env=environment_of(home), cwd=ROOT, check=True)
        yield home


def environment_of(home):
    mine = {"DATABASE_URL": database_url(home), "REDIS_URL": redis_url(home), "CELERY_BROKER_URL": broker_url(home)}
    return {**os.environ, **mine, "DEBUG": "true", "LOG_LEVEL": "INFO", "DJANGO_SETTINGS_MODULE": "config.settings"}


@pytest.fixture
def environment(home, tmp_path):
    """Of a spool of its own, on the servers that all share."""
    with database(home) as connection:
        connection.execute("TRUNCATE analytics_apiaccesslog, logs_shippedsegment, logs_rejectedline")
    return {**environment_of(home), "WHYRAL_HOME": str(home), "SPOOL_DIR": str(tmp_path / "spool")}


def database(home):
    return psycopg.connect(database_url(home), autocommit=True)


@contextlib.contextmanager
def process(command, environment, log):
    with log.open("wb") as output:
        running = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


@contextlib.contextmanager
def web(environment, folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    with process([*WEB, "--port", str(port), "config.wsgi:application"], environment, folder / "web.log") as running:
        until(lambda: status(f"{base}/health/live/") == 200, 30)
        yield base, running


def shipper(environment, folder):
    return process([sys.executable, "-m", "django", "ship_logs"], environment, folder / "shipper.log")


def is_locked(path):
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def status(address):
    try:
        return httpx.get(address, timeout=5).status_code
    except httpx.HTTPError:
        return None


def until(holds, seconds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def ask(address, times, seen, threads=4):
    """What the service answers when it is asked so often, by several at once, until it refuses."""

    def go():
        with httpx.Client(headers={"User-Agent": "x" * 300}, timeout=10) as client:
            for _ in range(times // threads):
                seen.append(client.get(address).status_code)
                if seen[-1] == 503:
                    return

    running = [threading.Thread(target=go) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def rows(home):
    with database(home) as connection:
        return connection.execute("SELECT count(*), count(DISTINCT id) FROM analytics_apiaccesslog").fetchone()


def test_a_web_process_that_is_killed_right_after_answering_loses_no_row(home, environment, tmp_path):
    seen: list[int] = []
    with web(environment, tmp_path) as (base, running), shipper(environment, tmp_path) as shipping:
        ask(f"{base}/api/nothing/", 1000, seen)
        os.killpg(running.pid, signal.SIGKILL)
        until(lambda: rows(home) == (1000, 1000), 15)
        until(lambda: list((tmp_path / "spool").iterdir()) == [tmp_path / "spool" / "shipper.lock"], 5)
        shipping.send_signal(signal.SIGTERM)
        assert shipping.wait(10) == 0
    assert seen == [404] * 1000
    assert rows(home) == (1000, 1000)


def test_shippers_that_are_killed_in_the_middle_of_a_batch_lose_nothing_and_ship_nothing_twice(
    home, environment, tmp_path
):
    counted_before = roll_up(home)
    subprocess.run([sys.executable, "-c", KILLS], env=environment, cwd=ROOT, check=True)
    before = rows(home)[0]
    with shipper(environment, tmp_path) as last:
        # It may find nothing left to do; before it is at work it would not know how to end in order.
        until(lambda: is_locked(tmp_path / "spool" / "shipper.lock"), 30)
        until(lambda: rows(home) == (50_000, 50_000), 30)
        last.send_signal(signal.SIGTERM)
        assert last.wait(10) == 0
    assert before > 0
    assert roll_up(home) - counted_before == 50_000
    with database(home) as connection:
        assert connection.execute("SELECT count(*) FROM logs_rejectedline").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM logs_shippedsegment").fetchone() == (0,)


def roll_up(home):
    with database(home) as connection:
        total = "SELECT coalesce(sum(requests), 0) FROM analytics_requestrollup WHERE period = 'total'"
        return connection.execute(total).fetchone()[0]


def test_rows_are_complete_after_postgresql_and_redis_were_away(home, environment, tmp_path):
    seen: list[int] = []
    with web(environment, tmp_path) as (base, _), shipper(environment, tmp_path):
        ask(f"{base}/api/nothing/", 100, seen)
        until(lambda: rows(home) == (100, 100), 15)
        postgres.stop_server(home)
        redis.stop_server(home)
        ask(f"{base}/api/nothing/", 400, seen)
        assert status(f"{base}/api/schema/") == 200
        # Long enough for the shipper to have tried in vain.
        until(lambda: b"shipper_waits" in (tmp_path / "shipper.log").read_bytes(), 5)
        redis.ensure(home, durable=False)
        postgres.ensure(home, durable=False)
        until(lambda: rows(home) == (501, 501), 15)
    assert seen == [404] * 500
    said = (tmp_path / "shipper.log").read_text()
    assert (said.count("shipper_waits"), said.count("shipper_goes_on")) == (1, 1)


def test_with_a_full_spool_what_cannot_be_recorded_is_not_served(home, environment, tmp_path):
    seen: list[int] = []
    with web({**environment, "SPOOL_MAX_MB": "1"}, tmp_path) as (base, _):
        ask(f"{base}/api/nothing/", 4000, seen)
        answered = Counter(seen)
        assert set(answered) == {404, 503}
        assert status(f"{base}/health/live/") == 200
        with shipper(environment, tmp_path):
            until(lambda: rows(home) == (answered[404], answered[404]), 15)
            until(lambda: status(f"{base}/api/nothing/") == 404, 10)
            until(lambda: rows(home)[0] == answered[404] + 1, 10)
