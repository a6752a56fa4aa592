"""The desk in a real browser: signing in, a list, a search, an action, the start page. On loopback only."""

import os
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from accounts.identity.local import start_session
from accounts.models import User, UserSession
from analytics.models import APIAccessLog

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="no chromium with a chromedriver on the PATH"),
]
# A browser that asks nobody anything: no updates, no sync, no names but loopback.
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)  # fmt: skip
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
SECONDS = 15


class Desk:
    """What somebody at the desk does."""

    def __init__(self, browser: webdriver.Chrome, address: str) -> None:
        self.browser, self.address = browser, address

    def open(self, path: str) -> None:
        self.browser.get(f"{self.address}{path}")

    def see(self, selector: str):
        return WebDriverWait(self.browser, SECONDS).until(
            lambda browser: next((each for each in browser.find_elements(By.CSS_SELECTOR, selector)), None)
        )

    def write(self, selector: str, text: str) -> None:
        field = self.see(selector)
        field.clear()
        field.send_keys(text)

    def press(self, selector: str) -> None:
        """Press, and wait until the page it leads to is there."""
        before = self.browser.find_element(By.TAG_NAME, "html")
        self.see(selector).click()
        WebDriverWait(self.browser, SECONDS).until(lambda _: self._is_gone(before))

    def _is_gone(self, page) -> bool:
        return bool(self.browser.find_element(By.TAG_NAME, "html").id != page.id)

    def ask(self, script: str):
        return self.browser.execute_script(f"return {script}")

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture
def desk(live_server, tmp_path):
    """A browser with nobody signed in."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path}", "--window-size=1440,900"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(DRIVER, log_output=os.devnull))
    browser.set_page_load_timeout(SECONDS)
    yield Desk(browser, live_server.url)
    browser.quit()


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
    desk.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    person = f"/admin/accounts/user/{user.pk}/change/"
    for path in ("/admin/", "/admin/thread/request-503/", "/admin/analytics/apiaccesslog/", person):
        desk.open(path)
        desk.see("#main")
        assert desk.ask("document.documentElement.scrollWidth") <= PHONE["width"], path
