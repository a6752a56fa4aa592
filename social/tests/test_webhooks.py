"""What BrightData tells us of its jobs: only with both secrets, only a hint, and never much work."""

import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import path
from django.utils import timezone
from pytest_django import Settings

from sandbox.brightdata import BrightDataSandbox
from social.facts import NotReady, PostAddress
from social.models import Errand
from social.scrapers.brightdata import BrightData
from social.webhooks import BrightDataWebhook

urlpatterns = [path("api/social/webhook/brightdata/<str:token>/", BrightDataWebhook.as_view())]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture
def bright(settings: Settings) -> Iterator[BrightDataSandbox]:
    settings.PUBLIC_URL, settings.BRIGHTDATA_WEBHOOK_TOKEN = "https://whyral.example", TOKEN
    with BrightDataSandbox() as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        yield sandbox


@pytest.fixture
def errand(bright: BrightDataSandbox) -> Errand:
    """One that waits for its job."""
    begun = BrightData().collect([PostAddress(platform="x", post_id="1", url="https://x.com/i/status/1")])
    assert isinstance(begun, NotReady)
    return errand_for(begun.job)


def errand_for(job: str, **fields: Any) -> Errand:
    later = timezone.now() + timedelta(hours=1)
    row = {"scraper": "brightdata", "kind": "post", "platform_id": "x", "run_after": later, "give_up_at": later}
    return Errand.objects.create(job=job, **{**row, **fields})


def tell(
    client: Client, body: bytes, headers: dict[str, str] | None = None, *, token: str = TOKEN, sign: str = TOKEN
) -> int:
    return client.post(
        f"/api/social/webhook/brightdata/{token}/",
        body,
        content_type="application/json",
        headers={"authorization": sign, **(headers or {})},
    ).status_code


def runs_at(errand: Errand) -> datetime:
    errand.refresh_from_db()
    assert errand.run_after
    return errand.run_after


def test_what_the_vendor_sends_lets_the_errand_run_now(bright, errand, client):
    snapshot_id, snapshot = next(iter(bright.snapshots.items()))
    assert snapshot.query["notify"] == f"https://whyral.example/api/social/webhook/brightdata/{TOKEN}/"
    others = [errand_for("posts:s_another1"), errand_for(errand.job, scraper="ytdlp")]
    over = errand_for(errand.job, finished_at=timezone.now())
    assert tell(client, *bright.notice(snapshot_id)) == 200
    assert runs_at(errand) <= timezone.now()
    assert all(runs_at(each) > timezone.now() for each in (*others, over))


def test_the_second_job_of_an_errand_is_known_too(bright, client):
    errand = errand_for("posts:s_first00,reels:sd_second0,until:1")
    assert tell(client, b'{"snapshot_id": "sd_second0", "status": "ready"}') == 200
    assert runs_at(errand) <= timezone.now()


def test_a_job_nobody_waits_for_is_fine(bright, client):
    assert tell(client, b'{"snapshot_id": "s_unknown", "status": "failed"}') == 200


def test_it_takes_no_work_from_whoever_knows_not_both_secrets(bright, errand, client, settings):
    body, _ = bright.notice(next(iter(bright.snapshots)))
    before = runs_at(errand)
    for wrong in ({"token": "guess"}, {"sign": "guess"}, {"sign": ""}, {"token": "Ü", "sign": "\xdc"}):
        assert tell(client, body, **wrong) == 404
    settings.BRIGHTDATA_WEBHOOK_TOKEN = ""
    assert tell(client, body) == 404
    assert tell(client, body, token="-", sign="") == 404
    assert runs_at(errand) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"snapshot_id": 7}',
        b'{"snapshot_id": "s"}',
        b'{"snapshot_id": "%%%%%%%%"}',
        b"\xff",
    ],
)
def test_it_refuses_what_it_cannot_read(bright, errand, client, body):
    before = runs_at(errand)
    assert tell(client, body) == 400
    assert runs_at(errand) == before


def test_it_inflates_nothing_and_takes_no_rows(bright, errand, client):
    snapshot_id = next(iter(bright.snapshots))
    assert tell(client, *bright.delivery(snapshot_id)) == 400
    assert tell(client, gzip.compress(b"0" * 1_000_000), {"content-encoding": "gzip"}) == 400
    assert tell(client, b" " * 20_000) == 413
