"""What still works while Redis hangs or is gone, and that everything comes back by itself."""

import contextlib
import os
import signal
import time

import pytest

from core import redis
from core.embedded import broker_url, redis_url
from core.embedded.places import make_socket_folder
from core.embedded.redis import ensure, stop_server
from core.queue import enqueue


@pytest.fixture
def own_redis(tmp_path, settings):
    """A Redis of this test's own, to be stopped and started."""
    make_socket_folder(tmp_path)
    ensure(tmp_path, durable=False)
    settings.REDIS_URL = redis_url(tmp_path)
    yield tmp_path
    stop_server(tmp_path)


@contextlib.contextmanager
def hung(home):
    pid = redis.client().info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        time.sleep(redis.REST_SECONDS)


def timed(ask):
    start = time.monotonic()
    return ask(), time.monotonic() - start


def me(api):
    return api.get("/api/accounts/me/").status_code


def login(client):
    body = {"email": "user@example.com", "password": "a long password"}
    return client.post("/api/accounts/login/", body, format="json")


def test_a_hung_redis_opens_the_general_limit_and_closes_the_sign_in(own_redis, api, stranger):
    with hung(own_redis):
        status, first = timed(lambda: me(api))
        assert (status, first < 1.5) == (200, True)
        _, later = timed(lambda: [me(api) for _ in range(20)])
        assert later < 1.5
        answer, seconds = timed(lambda: login(stranger))
        assert (answer.status_code, answer.json()["code"]) == (503, "limits_unavailable")
        assert int(answer["Retry-After"]) >= 1
        assert seconds < 1.5
    assert me(api) == 200
    assert login(stranger).status_code == 200


def test_a_redis_that_is_gone_does_the_same_and_comes_back(own_redis, api, stranger):
    stop_server(own_redis)
    assert me(api) == 200
    assert login(stranger).status_code == 503
    ensure(own_redis, durable=False)
    time.sleep(redis.REST_SECONDS)
    assert login(stranger).status_code == 200
    assert "RateLimit-Limit" in api.get("/api/accounts/me/")


def test_health_says_so_and_readiness_does_not_mind(own_redis, db, stranger):
    stop_server(own_redis)
    health = stranger.get("/health/")
    assert (health.status_code, health.json()["status"], health.json()["redis"]["status"]) == (200, "degraded", "down")
    assert stranger.get("/health/ready/").status_code == 200


def test_a_hung_broker_holds_a_publisher_up_for_less_than_a_second(own_redis, celery_broker):
    celery_broker(broker_url(own_redis))
    with hung(own_redis):
        sent, seconds = timed(lambda: enqueue("accounts.send_waiting_mail"))
        assert (sent, seconds < 1) == (False, True)
        again, seconds = timed(lambda: [enqueue("accounts.send_waiting_mail") for _ in range(100)])
        assert (any(again), seconds < 0.2) == (False, True)
    time.sleep(1)
    assert enqueue("accounts.send_waiting_mail")


def test_a_redis_that_is_full_does_the_same_as_one_that_is_away(own_redis, api, stranger):
    redis.client().config_set("maxmemory", 1)
    assert me(api) == 200
    assert login(stranger).status_code == 503
    assert stranger.get("/health/").json()["redis"]["status"] == "down"
    redis.client().config_set("maxmemory", 0)
    time.sleep(redis.REST_SECONDS)
    assert login(stranger).status_code == 200
