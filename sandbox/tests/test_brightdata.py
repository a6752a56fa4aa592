"""The sandbox's BrightData keeps to the protocol it stands for, oddities included."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.brightdata import RECORDS, BrightDataSandbox, bad_gateway, refused

POSTS = "gd_lk5ns7kz21pck8jpis"
PHOTO = {"url": "https://www.instagram.com/p/DSbxPhoto01/"}


@pytest.fixture
def bright() -> Iterator[BrightDataSandbox]:
    with BrightDataSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def client(bright: BrightDataSandbox) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {bright.key}"}
    with httpx.Client(base_url=bright.url, headers=headers, timeout=5, trust_env=False) as client:
        yield client


def trigger(client: httpx.Client, body: Any = None, **query: str) -> httpx.Response:
    return client.post("/datasets/v3/trigger", params={"dataset_id": POSTS, **query}, json=body or [PHOTO])


def job(client: httpx.Client, body: Any = None, **query: str) -> str:
    return str(trigger(client, body, **query).json()["snapshot_id"])


def download(client: httpx.Client, snapshot_id: str, **query: str) -> httpx.Response:
    return client.get(f"/datasets/v3/snapshot/{snapshot_id}", params=query)


def test_a_job_runs_for_a_while_and_is_put_together_after_it_is_ready(bright, client):
    bright.knobs.polls, bright.knobs.building = 2, 1
    snapshot_id = job(client, {"input": [PHOTO]})
    assert download(client, snapshot_id).status_code == 202
    said = [client.get(f"/datasets/v3/progress/{snapshot_id}").json()["status"] for _ in range(3)]
    assert said == ["running", "starting", "ready"]
    building = download(client, snapshot_id)
    assert (building.status_code, building.json()["status"]) == (202, "building")
    (row,) = download(client, snapshot_id).json()
    assert row == RECORDS["instagram_posts"][0] | {"input": PHOTO}
    assert [json.loads(line) for line in download(client, snapshot_id, format="ndjson").text.splitlines()] == [row]


def test_rows_come_shuffled_twice_from_strangers_damaged_and_as_errors(bright, client):
    bright.knobs.repeated, bright.knobs.shuffled, bright.knobs.foreign = True, True, 2
    bright.knobs.instead["gone"] = {"error": "Dead page", "error_code": "dead_page"}
    bright.knobs.changes["DSbxPhoto01"] = {"likes": None}
    gone = {"url": "https://www.instagram.com/p/gone/"}
    rows = download(client, job(client, [PHOTO, gone], include_errors="true")).json()
    assert len(rows) == 6
    assert sum("error" in row for row in rows) == sum("likes" not in row and "error" not in row for row in rows) == 2
    assert len(download(client, job(client, [PHOTO, gone])).json()) == 4
    bright.knobs.empty, bright.knobs.foreign = True, 0
    assert download(client, job(client)).json() == []


def test_it_discovers_the_posts_of_a_profile_and_takes_no_other_dates_than_its_own(client):
    profile = {"url": "https://www.instagram.com/padaria.aurora/", "num_of_posts": 2}
    how = {"type": "discover_new", "discover_by": "url"}
    rows = download(client, job(client, [profile], **how)).json()
    assert [row["discovery_input"] for row in rows] == [profile, profile]
    (row,) = download(client, job(client, [profile | {"start_date": "2026-10-01"}], **how)).json()
    assert row["warning"].startswith("no posts found")
    assert "error" not in row


def test_it_refuses_in_plain_words(bright, client):
    assert trigger(client, dataset_id="").text == "dataset missing"
    assert trigger(client, dataset_id="gd_unknown").status_code == 404
    assert trigger(client, [{"url": "instagram"}]).json()["code"] == "validation_error"
    assert download(client, "s_unknown").text == "Snapshot does not exist"
    assert httpx.get(f"{bright.url}/datasets/list", trust_env=False).text == "Credentials are missing"
    assert len(client.get("/datasets/list").json()) == 6
    bright.fail("trigger", **refused("too_many", seconds=7))
    bright.fail("trigger", **bad_gateway())
    busy, broken = trigger(client), trigger(client)
    assert (busy.status_code, busy.headers["retry-after"], "running jobs" in busy.text) == (429, "7", True)
    assert broken.text.startswith("<html>")


def test_a_job_that_runs_can_be_cancelled(bright, client):
    bright.knobs.polls = 5
    snapshot_id = job(client)
    cancel = f"/datasets/v3/snapshot/{snapshot_id}/cancel"
    assert [client.post(cancel).text for _ in range(2)] == ["OK", "Snapshot is not running"]
    assert client.get(f"/datasets/v3/progress/{snapshot_id}").json()["status"] == "canceled"


def test_its_webhooks_carry_the_configured_header_and_compressed_rows(bright, client):
    snapshot_id = job(client, notify="https://app.sandbox.test/hook/", auth_header="token")
    body, headers = bright.notice(snapshot_id)
    assert json.loads(body) == {"snapshot_id": snapshot_id, "status": "ready"}
    assert headers["authorization"] == "token"
    body, headers = bright.delivery(snapshot_id)
    assert headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(body)) == download(client, snapshot_id).json()
