"""Headless Chromium for tests, driven by Selenium and the chromedriver that Debian builds with it."""

import json
import shutil
import time
from pathlib import Path

from selenium import webdriver

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")  # given to Selenium by name: it would look for one to download
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-quic",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


class Page:
    """One page of a browser: what it asked for, what it complained of, and what a script in it returns."""

    def __init__(self, folder):
        self.downloads = Path(folder) / "downloads"
        self.downloads.mkdir()
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*_FLAGS, f"--user-data-dir={folder / 'profile'}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self._driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        self._call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))
        self.close = self._driver.quit

    def open(self, path, width=1280, height=900):
        """Open a file and wait until it has loaded; what was asked for and complained of before is forgotten."""
        self.requests(), self.complaints()
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                   mobile=width < 600)  # fmt: skip
        self._driver.get(Path(path).resolve().as_uri())

    def requests(self):
        """What was asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance")]
        return [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        """What came to the console since the last call: messages, failed requests, uncaught exceptions."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def run(self, expression):
        """The value of a JavaScript expression; a promise is waited for."""
        done = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"]["exception"]["description"])
        return done["result"].get("value")

    def press_enter(self):
        self._driver.switch_to.active_element.send_keys("\n")

    def point(self, x, y):
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def drag(self, start, end):
        """Press the mouse at one point of the window, move to another, release."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def download(self, seconds=60):
        """Name and text of the file whose download was started; it is taken away."""
        until = time.monotonic() + seconds
        while not (files := list(self.downloads.glob("*.csv"))):
            if time.monotonic() > until:
                raise TimeoutError("no download has ended")
            time.sleep(0.02)
        text = files[0].read_text(encoding="utf-8")
        files[0].unlink()
        return files[0].name, text

    def _call(self, method, **params):
        return self._driver.execute_cdp_cmd(method, params)
