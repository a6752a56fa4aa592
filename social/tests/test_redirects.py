"""Links that only lead to a post."""

import re

import pytest

from core.errors import VendorBusy, VendorProblem
from sandbox.control import Reply, Route, Sandbox
from social.errors import AddressInvalid
from social.platforms import redirects

POST = "https://www.instagram.com/reel/C6q-XdvsU5v/?igsh=x"


def test_a_posts_own_address_needs_no_visit():
    assert redirects.resolve(POST).post_id == "C6q-XdvsU5v"


@pytest.mark.parametrize(
    "text",
    [
        "https://t.co.evil.com/AbCdEf1234",
        "http://t.co/AbCdEf1234",
        "https://t.co/AbCdEf1234/../x",
        "https://www.instagram.com/share/",
        "https://instagram.com@evil.com/share/BACiUUUYQV",
        "https://bit.ly/abcdef",
    ],
)
def test_nobody_else_is_visited(text):
    with pytest.raises(AddressInvalid):
        redirects.resolve(text)


@pytest.fixture
def leads(monkeypatch, settings):
    """A vendor on loopback whose links are followed."""

    def start(*locations):
        answers = [Reply(status=302, headers={"Location": location}) for location in locations]
        sandbox = Leading(answers)
        sandbox.start()
        settings.OUTBOUND_ALLOWED_HOSTS = [sandbox.address]
        monkeypatch.setitem(redirects.LEADS, "x", re.compile(re.escape(sandbox.url) + "/[a-z]+"))
        started.append(sandbox)
        return sandbox

    started: list[Sandbox] = []
    yield start
    for sandbox in started:
        sandbox.stop()


class Leading(Sandbox):
    """Leads on, from one answer to the next."""

    def __init__(self, answers):
        super().__init__()
        self.answers = answers

    def lead(self, asked):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    routes = [Route("lead", "HEAD", r"/[a-z]+", lead)]


def test_a_link_is_followed_to_the_post(leads):
    sandbox = leads("/again", POST)
    assert redirects.resolve(f"{sandbox.url}/link").canonical_url == "https://www.instagram.com/p/C6q-XdvsU5v/"
    assert sandbox.count("lead") == 2


@pytest.mark.parametrize("location", ["https://evil.com/", "http://127.0.0.1:1/", "https://x.com/jack", "http://[", ""])
def test_a_link_that_leads_elsewhere_is_refused(leads, location):
    with pytest.raises((AddressInvalid, VendorProblem)):
        redirects.resolve(f"{leads(location).url}/link")


def test_a_link_that_leads_on_and_on_is_given_up(leads):
    sandbox = leads("/on")
    with pytest.raises(AddressInvalid):
        redirects.resolve(f"{sandbox.url}/link")
    assert sandbox.count("lead") == redirects.MOST_HOPS + 1


def test_a_platform_that_asks_to_slow_down_is_left_alone_until_it_said(leads):
    sandbox = leads(POST)
    sandbox.fail("lead", status=429, headers={"Retry-After": "60"})
    for _ in range(2):
        with pytest.raises(VendorBusy) as busy:
            redirects.resolve(f"{sandbox.url}/link")
        assert busy.value.retry_after == pytest.approx(60, abs=10)
    assert len(sandbox.calls) == 1
