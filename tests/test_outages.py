"""A web process as it is served for real, while PostgreSQL goes away and comes back."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import httpx
import psycopg
import pytest

from core.embedded import broker_url, database_url, postgres, redis_url, servers
from core.embedded.places import socket_folder

GOOD, AWAY = 200, 503


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("outage")
    with servers(home, durable=False):
        yield home


@pytest.fixture(scope="module")
def environment(home):
    mine = {"DATABASE_URL": database_url(home), "REDIS_URL": redis_url(home), "CELERY_BROKER_URL": broker_url(home)}
    return {
        **os.environ,
        **mine,
        "DEBUG": "true",
        "DB_POOL_SIZE": "4",
        "API_REQUESTS_PER_MINUTE": "1000000",
        "WHYRAL_HOME": str(home),
    }


@pytest.fixture(scope="module")
def site(environment):
    """The API as production serves it."""
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "--verbosity=0"], env=environment, check=True)
    with served("wsgi", environment) as base:
        yield base


@contextlib.contextmanager
def served(interface, environment):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", interface, "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--no-ws", f"config.{interface}:application"], env=environment, start_new_session=True
    )
    base = f"http://127.0.0.1:{port}"
    try:
        until(lambda: status(f"{base}/health/ready/") == GOOD, 30)
        yield base
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(scope="module")
def token(site):
    form = {"email": "ana@example.com", "password": "a long enough password"}
    return httpx.post(f"{site}/api/accounts/signup/", json=form).json()["access"]


def status(url, **headers):
    try:
        return httpx.get(url, headers=headers, timeout=5).status_code
    except httpx.HTTPError:
        return None


def until(holds, seconds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def ask_for(seconds, site, token, seen):
    """Ask again and again from four threads, and note what was answered and how long it took."""
    deadline = time.monotonic() + seconds

    def ask():
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=10) as client:
            while time.monotonic() < deadline:
                start = time.monotonic()
                answer = client.get(f"{site}/api/accounts/me/")
                seen.append((answer.status_code, time.monotonic() - start, answer.json()))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    return threads


def test_one_process_can_serve_it_all(environment, site):
    with served("asgi", environment) as base:
        form = {"email": "one@example.com", "password": "a long enough password"}
        answer = httpx.post(f"{base}/api/accounts/signup/", json=form)
        assert answer.status_code == 201
        headers = {"Authorization": f"Bearer {answer.json()['access']}"}
        assert httpx.get(f"{base}/api/accounts/me/", headers=headers).json()["email"] == "one@example.com"
        assert httpx.get(f"{base}/admin/login/").status_code == GOOD


def test_a_restart_of_postgresql_under_load_is_a_503_and_then_a_200(home, site, token):
    seen: list[tuple[int, float, dict[str, str]]] = []
    threads = ask_for(6, site, token, seen)
    time.sleep(1)
    os.kill(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGQUIT)
    time.sleep(2)
    postgres.ensure(home, durable=False)
    for thread in threads:
        thread.join()
    answers = Counter(code for code, _, _ in seen)
    assert set(answers) == {GOOD, AWAY}
    assert {body["code"] for code, _, body in seen if code == AWAY} == {"database_unavailable"}
    assert max(seconds for _, seconds, _ in seen) < 3
    assert [code for code, _, _ in seen[-8:]] == [GOOD] * 8


def test_a_readiness_probe_notices_the_loss_and_a_liveness_probe_does_not_mind(home, site):
    postgres.stop_server(home)
    assert status(f"{site}/health/ready/") == AWAY
    assert status(f"{site}/health/live/") == GOOD
    postgres.ensure(home, durable=False)
    until(lambda: status(f"{site}/health/ready/") == GOOD, 10)


def test_no_connection_to_be_had_is_a_503_and_then_a_200(home, site, token):
    url = f"host={socket_folder(home)} user=postgres dbname=whyral connect_timeout=2"
    held = [psycopg.connect(url, autocommit=True)]
    # The web process loses its own, and everything there is, is taken before it can connect again.
    with contextlib.suppress(psycopg.OperationalError):
        while len(held) < 500:
            held[0].execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'web'")
            held.append(psycopg.connect(url))
    assert len(held) < 500
    assert status(f"{site}/api/accounts/me/", Authorization=f"Bearer {token}") == AWAY
    for connection in held:
        connection.close()
    until(lambda: status(f"{site}/api/accounts/me/", Authorization=f"Bearer {token}") == GOOD, 10)
