"""The admin pages in a browser: Debian's Chromium, wide and narrow, light and dark."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import ElementClickInterceptedException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if CHROMIUM is None or DRIVER is None:
    pytest.skip("Chromium and its driver are not installed", allow_module_level=True)

APPLICATION = Path(__file__).parents[1] / "orm_admin.py"
SHOTS = os.environ.get("ADMIN_SCREENSHOTS")
"""A folder for pictures of the pages."""


@pytest.fixture
def site(isolated_db: Any) -> Iterator[str]:
    """The address of the running application."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen([sys.executable, str(APPLICATION), isolated_db.dsn, str(port)]) as server:
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/admin"
        finally:
            server.terminate()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
    ):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=str(DRIVER)))
    driver.implicitly_wait(5)
    yield driver
    driver.quit()


def shot(browser: Any, name: str) -> None:
    if SHOTS:
        browser.save_screenshot(str(Path(SHOTS) / f"{name}.png"))


def fill(browser: Any, name: str, text: str) -> None:
    element = browser.find_element(By.NAME, name)
    element.clear()
    element.send_keys(text)


def save(browser: Any) -> None:
    before = browser.find_element(By.TAG_NAME, "html")
    button = browser.find_element(By.CSS_SELECTOR, ".card-footer button[type=submit]:not([name])")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
    WebDriverWait(browser, 10, ignored_exceptions=[ElementClickInterceptedException]).until(
        lambda _: button.click() or True
    )
    WebDriverWait(browser, 10).until(lambda b: b.find_element(By.TAG_NAME, "html") != before)


def pick(browser: Any, name: str, search: str, text: str) -> None:
    """Chooses a row in the picker of a relation."""
    box = browser.find_element(By.CSS_SELECTOR, f"select[name={name}] + .select2-container .select2-selection")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", box)
    box.click()
    browser.find_element(By.CSS_SELECTOR, ".select2-container--open .select2-search__field").send_keys(search)

    def choose(b: Any) -> bool:
        options = b.find_elements(By.CSS_SELECTOR, ".select2-results__option--selectable")
        found = [o for o in options if text in o.text]
        if len(options) == len(found) == 1:
            found[0].click()
        return len(options) == len(found) == 1

    WebDriverWait(browser, 10, ignored_exceptions=[StaleElementReferenceException]).until(choose)


def errors_of(browser: Any) -> list[str]:
    """What the console says of faults in the pages: a form that is refused is not one, nor is a font that the theme asks another
    server for.
    """
    said = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    return [text for text in said if "422" not in text and "rsms.me" not in text and "favicon" not in text]


def test_a_day_of_an_editor(site: str, browser: Any) -> None:
    browser.get(f"{site}/admin-post/list")
    assert "post 01" in browser.page_source and "post 06" not in browser.page_source
    shot(browser, "list")

    browser.get(f"{site}/admin-post/create")
    fill(browser, "title", "ab")
    fill(browser, "facts", '{"a": [1, 2]}')
    save(browser)
    assert browser.find_element(By.ID, "title-error").text == "String should have at least 3 characters"
    shot(browser, "create-error")
    fill(browser, "title", "a new post")
    pick(browser, "author", "Bo", "Bob")
    pick(browser, "tags", "red", "red")
    pick(browser, "tags", "blue", "blue")
    shot(browser, "create")
    save(browser)
    assert "added successfully" in browser.page_source

    browser.get(f"{site}/admin-post/list?q=a+new")
    row = browser.find_element(By.CSS_SELECTOR, "tbody tr").text
    assert "a new post" in row and "AdminAuthor" not in row.split("\n")[0]
    link = browser.find_element(By.CSS_SELECTOR, "tbody a[href*='admin-post/detail?']").get_attribute("href")
    pk = link.partition("pk=")[2].partition("&")[0]
    browser.get(f"{site}/admin-post/detail?pk={pk}")
    shot(browser, "detail")
    assert "a new post" in browser.page_source and "admin-author/detail?pk=2" in browser.page_source

    # Two windows open the same form; the second to save is refused.
    first = browser.current_window_handle
    browser.get(f"{site}/admin-post/edit?pk={pk}")
    browser.switch_to.new_window("tab")
    browser.get(f"{site}/admin-post/edit?pk={pk}")
    fill(browser, "body", "theirs")
    save(browser)
    assert "changed successfully" in browser.page_source
    browser.close()
    browser.switch_to.window(first)
    fill(browser, "body", "mine")
    save(browser)
    assert "Another session has changed this row" in browser.find_element(By.ID, "revision-error").text
    shot(browser, "stale")
    browser.get(f"{site}/admin-post/edit?pk={pk}")
    assert browser.find_element(By.NAME, "body").get_attribute("value") == "theirs"
    assert [o.text for o in browser.find_elements(By.CSS_SELECTOR, "select[name=tags] option")] != []
    save(browser)
    assert "changed successfully" in browser.page_source

    browser.get(f"{site}/admin-post/list?page_size=100")
    for box in browser.find_elements(By.CSS_SELECTOR, "tbody input[type=checkbox]")[:2]:
        box.click()
    browser.find_element(By.CSS_SELECTOR, "#actions-dropdown button").click()
    shot(browser, "action")
    browser.find_element(By.CSS_SELECTOR, "[data-sa-name=publish]").click()
    confirm = browser.find_element(By.ID, "actionSubmit")
    WebDriverWait(browser, 10).until(lambda _: confirm.is_displayed())
    WebDriverWait(browser, 10, ignored_exceptions=[ElementClickInterceptedException]).until(
        lambda _: confirm.click() or True
    )
    WebDriverWait(browser, 10).until(lambda b: b.page_source.count("LIVE") >= 2)
    assert errors_of(browser) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit(site: str, browser: Any, scheme: str, width: int) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    for page in ("admin-post/list", "admin-post/create", "admin-post/edit?pk=1", "admin-count/list"):
        browser.get(f"{site}/{page}")
        if scheme == "dark":
            browser.execute_script("document.documentElement.setAttribute('data-bs-theme', 'dark')")
        shot(browser, f"{page.split('?')[0].replace('/', '-')}-{width}-{scheme}")
        wide = browser.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, page
    assert errors_of(browser) == []
