"""The desk in a real browser: signing in, a list, a search, an action, the start page. On loopback only."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from accounts.identity.local import start_session
from accounts.models import User, UserSession
from analytics.models import APIAccessLog
from tests.browsing import SECONDS, Window, chromium, needs_browser

pytestmark = [pytest.mark.django_db(transaction=True, serialized_rollback=True), needs_browser]


@pytest.fixture
def desk(live_server, tmp_path):
    """A browser with nobody signed in."""
    with chromium(tmp_path) as browser:
        yield Window(browser, live_server.url)


@pytest.fixture
def signed_in(desk):
    User.objects.create_superuser("staff@example.com", "a long password")
    desk.open("/admin/login/")
    desk.write("[name=username]", "staff@example.com")
    desk.write("[name=password]", "a long password")
    desk.press("[type=submit]")
    assert desk.browser.current_url == f"{desk.address}/admin/"
    return desk


@pytest.fixture
def happened(user):
    for status in (200, 503):
        APIAccessLog.objects.create(
            method="GET", route="/api/", status=status, duration_us=1000, user=user, request_id=f"request-{status}"
        )


def test_a_day_at_the_desk(signed_in, user, happened):
    """One browser for all of it: starting one takes longer than everything it does."""
    the_start_page_draws_its_charts(signed_in)
    a_list_is_searched_and_leads_to_a_thread(signed_in)
    an_action_ends_sessions(signed_in, user)
    no_page_is_wider_than_a_phone(signed_in, user)
    assert signed_in.complaints() == []


def the_start_page_draws_its_charts(desk):
    desk.open("/admin/")
    desk.see("canvas.chart")
    WebDriverWait(desk.browser, SECONDS).until(lambda _: desk.ask("!!Chart.getChart(document.querySelector('canvas'))"))
    drawn = desk.ask("[...document.querySelectorAll('canvas')].map(each => Chart.getChart(each).data.labels.length)")
    assert drawn == [48, 48, 30]


def a_list_is_searched_and_leads_to_a_thread(desk):
    desk.open("/admin/analytics/apiaccesslog/")
    assert len(desk.browser.find_elements(By.CSS_SELECTOR, "#result_list tbody tr")) >= 2
    desk.write("#searchbar", "request-503")
    desk.press("#searchbar-submit")
    assert "request-503" in desk.see("#result_list .whyral-id").get_attribute("title")
    desk.press("#result_list .whyral-id")
    assert "/api/" in desk.see(".whyral-thread").text


def an_action_ends_sessions(desk, user):
    start_session(user)
    desk.open("/admin/accounts/user/?q=user@")
    desk.see("input.action-select").click()
    desk.see("select[name=action] option[value=end_sessions]").click()
    desk.press("#changelist-actions-wrapper button")
    assert "1 session of 1 account ended." in desk.see("#main").text
    assert UserSession.objects.get(user=user).revoked_why == "ended_by_staff"


def no_page_is_wider_than_a_phone(desk, user):
    desk.hold_as_a_phone()
    person = f"/admin/accounts/user/{user.pk}/change/"
    for path in ("/admin/", "/admin/thread/request-503/", "/admin/analytics/apiaccesslog/", person):
        desk.open(path)
        desk.see("#main")
        assert desk.fits_a_phone(), path
