# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Chromium with a microphone that plays a file, at the server's page."""
import contextlib
import os
import pathlib
import shutil
import signal

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = ("--headless=new", "--no-sandbox", "--window-size=1280,900", "--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage",
         "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
         # A name for this machine that is not localhost, for which a page gets no microphone over http.
         "--host-resolver-rules=MAP elsewhere.test 127.0.0.1")


class Page:
    """The page in its browser."""

    def __init__(self, driver, downloads):
        self.driver, self.downloads = driver, downloads

    def open(self, address):
        self.driver.get(address)
        return self

    def leave(self):
        """As a browser that has never been there."""
        origin = self.driver.execute_script("return location.origin")
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "local_storage"})
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.complaints()

    def element(self, name):
        return self.driver.find_element(By.ID, name)

    def text(self, name):
        return self.element(name).text

    def click(self, name):
        self.element(name).click()

    def state(self):
        return self.driver.execute_script("return document.body.dataset.state")

    def wait(self, condition, seconds=30):
        """Until `condition` gives something true, which it returns."""
        return WebDriverWait(self.driver, seconds, 0.1).until(lambda _: condition())

    def talk(self):
        self.click("talk")
        self.wait(lambda: self.state() == "talking")

    def choose(self, name, value):
        """What the user would pick in a list."""
        self.driver.execute_script("""const list = document.getElementById(arguments[0]);
            list.value = arguments[1]; list.dispatchEvent(new Event('change'))""", name, value)

    def complaints(self):
        """What the page wrote to the console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def kill(self):
        """As if its machine had failed."""
        for process in descendants(self.driver.service.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def descendants(process):
    """The processes that this one has begun, and they."""
    children = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rsplit(")", 1)[1].split()[1] == str(process):
                children.append(int(stat.parent.name))
    return [found for child in children for found in (child, *descendants(child))]


@contextlib.contextmanager
def browsing(microphone, downloads, **preferences):
    """A browser whose microphone plays a file, over and over, and which saves files in a directory; `preferences` are chromium's."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads), **preferences})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield Page(driver, downloads)
    finally:
        with contextlib.suppress(Exception):  # It may have been killed.
            driver.quit()
        driver.service.stop()
