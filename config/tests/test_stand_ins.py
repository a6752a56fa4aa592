"""Vendors that a local server stands in for, while `make run` runs."""

import http.client
import os
import subprocess

import pytest

from config.stand_ins import SHOPS, STAND_INS, CannotStandIn, books, is_stood_in_for, plays_shop, stand_in


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def _own_database(monkeypatch):
    """Somebody's PostgreSQL: on it the sandbox sells nothing unasked."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://database.example/whyral")


def started():
    return stand_in(api="http://127.0.0.1:8000")


@pytest.mark.usefixtures("_own_database")
def test_nobody_stands_in_unless_it_is_asked_for(monkeypatch):
    monkeypatch.delenv("SANDBOX", raising=False)
    assert started() is None


def test_on_a_bare_machine_the_sandbox_takes_the_money_unasked(monkeypatch):
    monkeypatch.delenv("SANDBOX", raising=False)
    child = started()
    assert child.command[-1].startswith("dodo=")
    assert is_stood_in_for("DODO_API_KEY")
    assert plays_shop()


@pytest.mark.parametrize("key", SHOPS)
def test_it_takes_none_where_a_real_provider_does(monkeypatch, key):
    monkeypatch.setenv(key, "a key")
    assert started() is None
    assert not plays_shop()


def test_it_takes_none_in_production(monkeypatch):
    monkeypatch.setenv("DEBUG", "false")
    assert started() is None


def test_nobody_stands_in_in_production(monkeypatch):
    monkeypatch.setenv("SANDBOX", "dodo")
    monkeypatch.setenv("DEBUG", "false")
    with pytest.raises(CannotStandIn, match="DEBUG is off"):
        started()


def test_what_its_webhooks_are_signed_with_is_new_each_time():
    started()
    first = os.environ["DODO_WEBHOOK_SECRET"]
    del os.environ["DODO_API_KEY"]
    started()
    assert len(first) > len("whsec_") + 30
    assert os.environ["DODO_WEBHOOK_SECRET"] != first


def test_what_it_sold_on_one_database_is_unknown_on_another(monkeypatch):
    embedded = books()
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@database.example/whyral")
    own = books()
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:another@database.example:/whyral?sslmode=require")
    assert books() == own
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:another@database.example/other")
    assert len({embedded, own, books()}) == 3


@pytest.mark.usefixtures("_own_database")
def test_a_vendor_whose_key_is_set_is_asked_itself(monkeypatch):
    monkeypatch.setenv("SANDBOX", "twitterapi")
    monkeypatch.setenv("TWITTERAPI_KEY", "a key")
    assert started() is None
    assert "TWITTERAPI_URL" not in os.environ


def test_a_stand_in_is_told_from_the_vendor_itself(monkeypatch):
    monkeypatch.setenv("SANDBOX", "openai_compatible")
    monkeypatch.setenv("GEMINI_API_KEY", "a key")
    assert not is_stood_in_for("SELF_HOSTED_LLM_URL")
    started()
    assert is_stood_in_for("SELF_HOSTED_LLM_URL")
    assert not is_stood_in_for("GEMINI_API_KEY")


def test_an_unknown_name_is_told_with_those_that_are_known(monkeypatch):
    monkeypatch.setenv("SANDBOX", "twiterapi")
    with pytest.raises(CannotStandIn, match="supabase, youtube_api, gemini, openai_compatible, dodo"):
        started()


def test_whoever_stands_in_answers_where_our_processes_are_led(monkeypatch):
    monkeypatch.setenv("SANDBOX", ",".join(STAND_INS))
    child = started()
    assert child
    assert len(child.command) == 3 + len(STAND_INS)
    with subprocess.Popen(child.command, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout
        for _ in STAND_INS:
            process.stdout.readline()
        for vendor in STAND_INS.values():
            host, port = os.environ[vendor.url].removesuffix(vendor.path).removeprefix("http://").split(":")
            assert f"{host}:{port}" in os.environ["OUTBOUND_ALLOWED_HOSTS"].split(",")
            connection = http.client.HTTPConnection(host, int(port), timeout=5)
            connection.request("GET", "/_control/calls")
            assert connection.getresponse().status == 200
            connection.close()
        process.terminate()
        assert process.wait(10) == 0
