"""A headless Chromium that looks at pages, and what it complained of meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest

PREFERENCES = {"profile.default_content_setting_values.automatic_downloads": 1}  # several from one page
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--window-size=1400,1000",
)


def start_browser(downloads):
    """A driver that saves to ``downloads``; a skipped test where there is no Chromium, a failed one in CI."""
    driver = shutil.which("chromedriver")
    browser = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if driver is None or browser is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "no chromium with chromedriver: apt install chromium-driver"
        )
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option("prefs", {**PREFERENCES, "download.default_directory": str(downloads)})
    return webdriver.Chrome(options=options, service=Service(driver))


class Page:
    """One page in a browser."""

    def __init__(self, driver, path):
        self.driver, self.path = driver, path
        driver.get_log("browser")
        driver.get_log("performance")
        driver.get(path.as_uri())
        self.wait(lambda: self.run("return document.documentElement.dataset.ready"))

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def focused(self):
        return self.driver.switch_to.active_element

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)", selector)

    def wait(self, condition, seconds=10.0):
        until = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < until, "it did not happen"
            time.sleep(0.02)
        return found

    def mouse(self, figure, x, y):
        """The mouse above a point of a figure's plot, in pixels from its upper left corner."""
        from selenium.webdriver import ActionChains

        plot = self.find(f"#{figure} .plot")
        self.run("arguments[0].scrollIntoView({block: 'center'})", plot)
        size = plot.size
        actions = ActionChains(self.driver, duration=0)
        return actions.move_to_element_with_offset(plot, round(x - size["width"] / 2), round(y - size["height"] / 2))

    def point(self, figure, series):
        """(x, y, row) of the first mark of a series, in pixels."""
        script = (
            "const point = document.getElementById(arguments[0]).chart.points.find((one) =>"
            " one.series.name.startsWith(arguments[1])); return [point.x, point.y, point.row];"
        )
        return self.run(script, figure, series)

    def complaints(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests_that_leave(self):
        """URLs that the page asked for, but for itself and what it made."""
        urls = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        own = self.path.as_uri()
        return [url for url in urls if not (url.partition("#")[0] == own or url.startswith(("blob:", "data:")))]
