"""Fifty callers in five processes, and a vendor over HTTP: one of them collects."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from sandbox.brightdata import BrightDataSandbox
from sandbox.twitterapi import TwitterApiSandbox
from social.models import MetricSnapshot, Post

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
PROCESSES = 5
# What a worker does: ask, and come back while it is on its way.
ASK = """
import sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import django
django.setup()
from django.db import connection
from social import platforms
from social.collecting import collect

address = platforms.address(*sys.argv[1:])
together = threading.Barrier(10)

def ask(_):
    together.wait()
    try:
        while (collected := collect([address])).waiting:
            time.sleep(min(collected.retry_in, 0.2))
        return str(collected.stored[address].post_id)
    finally:
        connection.close()

print("ready", flush=True)
sys.stdin.read()
with ThreadPoolExecutor(10) as threads:
    print(*threads.map(ask, range(10)))
"""


def ask_for(platform, post_id, sandbox):
    """The ids that each of fifty was given, who all began at once."""
    database = connection.settings_dict
    leads = {name: ",".join(value) if isinstance(value, list) else value for name, value in sandbox.settings().items()}
    mine = {
        "DATABASE_URL": f"postgresql://postgres@{database['HOST'].replace('/', '%2F')}/{database['NAME']}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    command = [sys.executable, "-c", ASK, platform, post_id]
    environment = {**os.environ, **mine, **leads}

    def start():
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    running = [start() for _ in range(PROCESSES)]
    try:
        assert [process.stdout.readline() for process in running] == ["ready\n"] * PROCESSES
        with ThreadPoolExecutor(PROCESSES) as threads:
            told = [*threads.map(lambda process: process.communicate(timeout=60)[0], running)]
    finally:
        for process in running:
            process.kill()
            process.wait()
    return " ".join(told).split()


def test_fifty_callers_cost_one_call():
    with TwitterApiSandbox() as x:
        x.fail("tweets", delay=0.5)
        ids = ask_for("x", "1839019491835129889", x)
        assert x.count("tweets") == 1
    assert ids == [str(Post.objects.get().pk)] * 50
    assert MetricSnapshot.objects.count() == 1


def test_fifty_callers_cost_one_job():
    with BrightDataSandbox() as brightdata:
        ids = ask_for("instagram", "DMrWm2zJ0ab", brightdata)
        assert brightdata.count("trigger") == 1
        assert sum(brightdata.asked_for.values()) == 1
    assert ids == [str(Post.objects.get().pk)] * 50
