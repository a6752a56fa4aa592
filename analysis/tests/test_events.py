"""The events of a request, through a real server: each row once and in order, and then the end."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from django.db import connection

from accounts.identity.local import start_session
from accounts.models import User
from analysis import events, pipeline, services
from analysis.history import tell
from analysis.models import AnalysisStatusHistory
from analysis.stages.contract import Product
from analysis.tests.fakes import Fake, put_on_plan, stages_of
from analysis.tests.listening import Listener, served, until
from core import redis
from core.streams import HEARTBEAT

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
URLS = ["https://x.com/i/status/11", "https://x.com/i/status/12"]


@pytest.fixture(scope="module")
def site(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), served(DB_POOL_SIZE="4") as base:
        yield base


@pytest.fixture
def request_(user):
    put_on_plan(user, posts=50, a_day=1000)
    return services.request_analysis(user, URLS)


@pytest.fixture
def known(user):
    return {"authorization": f"Bearer {start_session(user).access}"}


def address(site, request):
    return f"{site}/api/analysis/requests/{request.pk}/events/"


def listen(site, request, **headers):
    return Listener(address(site, request), **headers)


def run(request, *, seconds=0.0):
    """Its posts through two stages that take their time."""

    def work(_):
        time.sleep(seconds)
        return Product()

    stages = stages_of(Fake("collect", work), Fake("analyse", work))
    for post_id in request.posts.order_by("position").values_list("pk", flat=True):
        pipeline.advance(post_id, "io", stages=stages)


def rows_of(request):
    return list(AnalysisStatusHistory.objects.filter(request=request).order_by("id"))


async def run_apart(request, *, seconds=0.0):
    def work():
        try:
            run(request, seconds=seconds)
        finally:
            connection.close()

    await asyncio.to_thread(work)


def ids(heard):
    return [event.id for event in heard if event.name == "status"]


def test_who_listens_while_it_runs_hears_each_row_as_it_is_written_and_then_the_end(site, request_, known):
    listener = listen(site, request_, **known)
    until(lambda: listener.events)
    assert [event.data["stage"] for event in listener.events] == ["request_created"]
    started = time.monotonic()
    run(request_, seconds=0.1)
    heard = listener.heard()
    # By the bell, not by the heartbeat.
    assert time.monotonic() - started < 5
    assert ids(heard) == [str(row.pk) for row in rows_of(request_)]
    assert [event.data["stage"] for event in heard[:-1]] == [row.stage for row in rows_of(request_)]
    progress = [event.data["progress"] for event in heard[:-1]]
    assert progress == sorted(progress)
    assert heard[-1].name == "done"
    assert heard[-1].data == {"id": str(request_.pk), "status": "COMPLETED", "partial_success": False}
    assert heard[-1].id == heard[-2].id
    assert set(heard[0].data) == {
        "id", "created_at", "post_analysis_id", "stage", "status", "progress", "message", "cost_micros",
    }  # fmt: skip
    assert heard[0].data["created_at"].endswith("Z")
    assert listener.headers["content-type"] == "text/event-stream"
    assert listener.headers["cache-control"] == "no-store"
    assert listener.headers["x-request-id"]


def test_who_comes_afterwards_is_told_all_of_it_at_once(site, request_, known):
    run(request_)
    heard = listen(site, request_, **known).heard(5)
    assert ids(heard) == [str(row.pk) for row in rows_of(request_)]
    assert heard[-1].name == "done"


def test_from_whichever_row_one_resumes_nothing_is_missed_and_nothing_comes_twice(site, request_, known):
    run(request_)
    all_ids = [str(row.pk) for row in rows_of(request_)]
    for place, last in enumerate(all_ids[:-1]):
        heard = listen(site, request_, last_event_id=last, **known).heard(5)
        assert ids(heard) == all_ids[place + 1 :]
        assert heard[-1].name == "done"


@pytest.mark.parametrize("header", ["", "-1", "x", "1-0", "9" * 40, "\u0663"])
def test_a_last_event_id_that_is_none_begins_at_the_start(site, request_, known, header):
    run(request_)
    headers = {**known, "last-event-id": header.encode()}
    with httpx.stream("GET", address(site, request_), headers=headers) as answer:
        assert answer.status_code == 200
        text = "".join(answer.iter_text())
    assert text.count("event: status") == len(rows_of(request_))


def test_a_browser_that_drops_at_every_event_while_it_runs_misses_nothing(site, request_, known):
    def follow():
        seen: list[Any] = []
        while True:
            last = {"last_event_id": seen[-1].id} if seen else {}
            listener = listen(site, request_, enough=1, **last, **known)
            listener.join(20)
            if listener.status == 204:
                return seen
            seen += listener.events

    async def browse():
        following = asyncio.create_task(asyncio.to_thread(follow))
        await run_apart(request_, seconds=0.05)
        return await asyncio.wait_for(following, 30)

    seen = asyncio.run(browse())
    assert ids(seen) == [str(row.pk) for row in rows_of(request_)]


def test_after_the_end_a_browser_is_told_to_stop_asking(site, request_, known):
    run(request_)
    last = str(rows_of(request_)[-1].pk)
    assert httpx.get(address(site, request_), headers={**known, "last-event-id": last}).status_code == 204


def test_a_request_that_is_removed_ends_for_who_listens(site, request_, known, user):
    listener = listen(site, request_, **known)
    until(lambda: listener.events)
    services.remove(user, request_.pk)
    # The row that rings last is gone: what comes is the end.
    heard = listener.heard(20)
    assert (heard[-1].name, heard[-1].data["status"]) == ("done", "CANCELLED")
    assert httpx.get(address(site, request_), headers=known).status_code == 404


def test_a_long_history_comes_whole(site, request_, known):
    for number in range(450):
        tell(request_, None, "retrying", f"Number {number}.")
    services.cancel(request_.user, request_.pk)
    heard = listen(site, request_, **known).heard()
    assert len(ids(heard)) == 452
    assert ids(heard) == sorted(ids(heard), key=int)
    assert [event.name for event in heard].count("done") == 1


# Who may listen


def test_a_ticket_opens_the_stream_once_and_no_other(site, request_, known, user):
    run(request_)
    other = services.request_analysis(user, ["https://x.com/i/status/13"])

    def ticket():
        answer = httpx.post(f"{address(site, request_)}ticket/", headers=known)
        assert answer.status_code == 201
        return answer.json()["ticket"]

    mine = ticket()
    assert httpx.get(address(site, other), params={"ticket": mine}).status_code == 401
    heard = Listener(f"{address(site, request_)}?ticket={mine}").heard(5)
    assert heard[-1].name == "done"
    assert httpx.get(address(site, request_), params={"ticket": mine}).status_code == 401
    late = ticket()
    for key in redis.client().scan_iter("ticket:*"):
        redis.client().delete(key)
    assert httpx.get(address(site, request_), params={"ticket": late}).status_code == 401


def test_nobody_listens_to_somebody_elses(site, request_, user):
    stranger = User.objects.create_user("stranger@example.com")
    token = {"authorization": f"Bearer {start_session(stranger).access}"}
    assert httpx.get(address(site, request_)).status_code == 401
    assert httpx.get(address(site, request_), headers=token).status_code == 404
    assert httpx.post(f"{address(site, request_)}ticket/", headers=token).status_code == 404


# What it costs, and what may be away


def test_many_who_listen_hold_no_connection_to_the_database_while_they_wait(site, request_, known):
    """Eight times as many as the pool has connections: were one held by each, the others would stand in the queue."""
    listeners = [listen(site, request_, **known) for _ in range(32)]
    until(lambda: all(listener.events for listener in listeners))
    assert httpx.get(f"{site}/api/analysis/requests/{request_.pk}/", headers=known, timeout=3).status_code == 200
    run(request_)
    expected = [str(row.pk) for row in rows_of(request_)]
    assert all(ids(listener.heard()) == expected for listener in listeners)


def test_without_redis_it_still_comes_to_its_end(request_, settings):
    """The rows are the truth: what no bell rings for is found at the next heartbeat."""
    settings.REDIS_URL = "redis://127.0.0.1:9/0"

    async def follow():
        heard = []
        async for chunk in events.follow(request_.pk, 0, heartbeat=0.2):
            heard.append(chunk)
            if len(heard) == 3:
                await run_apart(request_)
        return heard

    heard = asyncio.run(asyncio.wait_for(follow(), 20))
    assert HEARTBEAT in heard
    statuses = [chunk for chunk in heard if chunk.startswith(b"event: status")]
    assert len(statuses) == len(rows_of(request_))
    assert heard[-1].startswith(b"event: done")


def test_a_redis_that_forgets_everything_meanwhile_loses_nothing(request_):
    async def follow():
        heard = []
        async for chunk in events.follow(request_.pk, 0, heartbeat=0.2):
            heard.append(chunk)
            if len(heard) == 2:
                redis.client().flushall()
                await run_apart(request_)
        return heard

    heard = asyncio.run(asyncio.wait_for(follow(), 20))
    assert len([chunk for chunk in heard if chunk.startswith(b"event: status")]) == len(rows_of(request_))
    assert heard[-1].startswith(b"event: done")
