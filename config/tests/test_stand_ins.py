"""Vendors that a local server stands in for, while `make run` runs."""

import http.client
import os
import subprocess

import pytest

from config.stand_ins import STAND_INS, UnknownStandIn, is_stood_in_for, stand_in


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_nobody_stands_in_unless_it_is_asked_for(monkeypatch):
    monkeypatch.delenv("SANDBOX", raising=False)
    assert stand_in() is None


def test_a_vendor_whose_key_is_set_is_asked_itself(monkeypatch):
    monkeypatch.setenv("SANDBOX", "twitterapi")
    monkeypatch.setenv("TWITTERAPI_KEY", "a key")
    assert stand_in() is None
    assert "TWITTERAPI_URL" not in os.environ


def test_a_stand_in_is_told_from_the_vendor_itself(monkeypatch):
    monkeypatch.setenv("SANDBOX", "openai_compatible")
    monkeypatch.setenv("GEMINI_API_KEY", "a key")
    assert not is_stood_in_for("SELF_HOSTED_LLM_URL")
    stand_in()
    assert is_stood_in_for("SELF_HOSTED_LLM_URL")
    assert not is_stood_in_for("GEMINI_API_KEY")


def test_an_unknown_name_is_told_with_those_that_are_known(monkeypatch):
    monkeypatch.setenv("SANDBOX", "twiterapi")
    with pytest.raises(UnknownStandIn, match="supabase, youtube_api, gemini, openai_compatible"):
        stand_in()


def test_whoever_stands_in_answers_where_our_processes_are_led(monkeypatch):
    monkeypatch.setenv("SANDBOX", ",".join(STAND_INS))
    child = stand_in()
    assert child
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
