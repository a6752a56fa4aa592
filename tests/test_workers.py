"""A real worker and a real beat: what is owed gets done, and their signs of life are seen."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import OutgoingMail
from core.queue import enqueue

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
REQUEST_ID = "a-request-to-follow"


@pytest.fixture
def environment(tmp_path):
    name = connection.settings_dict["NAME"]
    database = f"postgresql://postgres@{connection.settings_dict['HOST'].replace('/', '%2F')}/{name}"
    mine = {"DATABASE_URL": database, "EMAIL_URL": f"filemail:///{tmp_path}/mails", "LOG_LEVEL": "INFO"}
    return {**os.environ, **mine}


@pytest.fixture
def start(environment, tmp_path):
    running = []

    def start(*words):
        command = [sys.executable, "-m", "celery", "-A", "config", *words]
        with (tmp_path / "worker.log").open("ab") as log:
            running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))
        return running[-1]

    yield start
    for process in running:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def worker(start):
    queues = ",".join(settings.CELERY_TASK_QUEUES)
    return start("worker", "--pool=threads", "--concurrency=4", f"--queues={queues}", "--without-gossip")


def until(holds, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def sign_up(client, **headers):
    form = {"email": "ana@example.com", "password": "a long enough password"}
    return client.post("/api/accounts/signup/", form, format="json", **headers)


def test_signing_up_has_the_mail_sent_and_the_request_can_be_followed_into_the_worker(stranger, worker, tmp_path):
    sign_up(stranger, HTTP_X_REQUEST_ID=REQUEST_ID)
    until(lambda: OutgoingMail.objects.get().sent_at)
    text = "".join(path.read_text() for path in (tmp_path / "mails").iterdir())
    assert "To: ana@example.com" in text
    assert "/verify-email?uid=" in text
    log = (tmp_path / "worker.log").read_text()
    line = next(line for line in log.splitlines() if "mail_sent" in line)
    assert f"request_id={REQUEST_ID}" in line
    assert "ana@example.com" not in log


def test_a_message_that_was_lost_is_sent_again_by_the_sweep(user, worker, mailoutbox):
    OutgoingMail.objects.create(user=user, template="verify_email")
    enqueue("accounts.send_waiting_mail")
    until(lambda: OutgoingMail.objects.get().sent_at)


def test_beat_and_every_queue_show_signs_of_life(stranger, worker, start, tmp_path, settings):
    # Nobody ships here, and rows that wait are no sign of life.
    settings.SPOOL_DIR = tmp_path / "spool"
    assert stranger.get("/health/").json()["beat"]["status"] == "quiet"
    start("beat", f"--schedule={tmp_path}/schedule", "--max-interval=2")
    until(lambda: stranger.get("/health/").json()["status"] == "ok", 60)
    seen = stranger.get("/health/").json()["workers"]["seconds_since_last_task"]
    assert set(seen) == set(settings.CELERY_TASK_QUEUES)
