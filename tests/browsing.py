"""A headless Chromium that sees nothing but loopback, and what somebody does with it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import presence_of_element_located
from selenium.webdriver.support.ui import WebDriverWait

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(not (BROWSER and DRIVER), reason="no chromium with a chromedriver on the PATH")
# A browser that asks nobody anything: no updates, no sync, no names but loopback.
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost", "--window-size=1440,900",
)  # fmt: skip
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
SECONDS = 15


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(DRIVER, log_output=os.devnull))
    browser.set_page_load_timeout(SECONDS)
    try:
        yield browser
    finally:
        browser.quit()


class Window:
    """What somebody does in it, and what they see."""

    def __init__(self, browser: webdriver.Chrome, address: str) -> None:
        self.browser, self.address = browser, address

    def open(self, path: str) -> None:
        self.browser.get(path if path.startswith("http") else f"{self.address}{path}")

    def see(self, selector: str) -> WebElement:
        found = presence_of_element_located((By.CSS_SELECTOR, selector))
        return WebDriverWait(self.browser, SECONDS).until(found)

    def write(self, selector: str, text: str) -> None:
        field = self.see(selector)
        field.clear()
        field.send_keys(text)

    def press(self, selector: str) -> None:
        """Press, and wait until the page it leads to is there."""
        before = self.browser.find_element(By.TAG_NAME, "html")
        self.see(selector).click()
        WebDriverWait(self.browser, SECONDS).until(lambda _: self._is_gone(before))

    def _is_gone(self, page: WebElement) -> bool:
        return bool(self.browser.find_element(By.TAG_NAME, "html").id != page.id)

    def ask(self, script: str) -> Any:
        return self.browser.execute_script(f"return {script}")

    def hold_as_a_phone(self) -> None:
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)

    def fits_a_phone(self) -> bool:
        return bool(self.ask("document.documentElement.scrollWidth") <= PHONE["width"])

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]
