"""Buying in a real browser, from what `make run` starts: the sandbox's checkout, its webhooks, a worker, the limits."""

import socket

import pytest

from tests.browsing import Window, chromium, needs_browser
from tests.running import Person, read_banner, running, until

pytestmark = needs_browser


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with running(tmp_path_factory.mktemp("home"), port) as process:
        read_banner(process)
        yield port


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def buyer(port):
    with Person(port) as buyer:
        yield buyer


@pytest.fixture
def window(browser, port, buyer):
    """The checkout for Pro, on a phone."""
    window = Window(browser, f"http://localhost:{port}")
    window.hold_as_a_phone()
    window.open(buyer.checkout("pro"))
    yield window
    assert window.complaints() == []


def test_whoever_pays_has_the_plan_and_its_limits(window, buyer):
    free = buyer.limits()
    assert "29.00 USD every month" in window.see("body").text
    assert window.fits_a_phone()
    window.press("[value=pay]")
    assert window.see("h1").text == "Thank you"
    assert window.fits_a_phone()
    until(lambda: buyer.is_on("pro"))
    assert all(limit > free[name] for name, limit in buyer.limits().items() if free[name] >= 0)
    until(lambda: buyer.paid() == [("SUCCEEDED", 2900)])
    window.press("main a")
    assert window.browser.current_url == f"{window.address}/api/docs/"


def test_whoever_is_declined_is_told_so_and_can_try_again(window, buyer):
    window.press("[value=decline]")
    assert window.see("h1").text == "The payment did not go through"
    until(lambda: buyer.paid() == [("FAILED", 2900)])
    assert buyer.is_on("free")
    window.open(buyer.checkout("pro"))
    window.press("[value=pay]")
    assert window.see("h1").text == "Thank you"
    until(lambda: buyer.is_on("pro"))


def test_whoever_cancels_has_paid_nothing_and_finds_the_same_page_again(window, buyer):
    page = window.browser.current_url
    window.press("[value=cancel]")
    assert window.see("h1").text == "Nothing was paid"
    assert buyer.is_on("free")
    assert buyer.paid() == []
    window.open(page)
    window.press("[value=pay]")
    until(lambda: buyer.is_on("pro"))


def test_whoever_presses_twice_has_paid_once(window, buyer):
    page = window.browser.current_url
    window.press("[value=pay]")
    until(lambda: buyer.is_on("pro"))
    window.open(page)
    assert window.see("h1").text == "This page has been used"
    window.press("a")
    assert window.see("h1").text == "Thank you"
    until(lambda: buyer.paid() == [("SUCCEEDED", 2900)])
    # The browser's own word on a page that is gone.
    assert [each.rpartition("status of ")[2] for each in window.complaints()] == ["410 (Gone)"]
