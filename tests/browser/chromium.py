"""Drives headless Chromium over its debugging pipe: no server, no port, no further package."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


# Chromium reads commands on descriptor 3 and writes answers on 4. Going by way of high numbers, the
# two cannot overwrite each other.
_WITH_PIPES = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(n), fcntl.F_DUPFD, 100) for n in sys.argv[1:3]]
for wanted, end in zip((3, 4), ends):
    os.dup2(end, wanted)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find() -> str | None:
    """Path of an installed Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


class Chromium:
    """One browser process with one page.

    Attributes:
        requests: Every address the page asked for.
        problems: Uncaught exceptions and console errors, as text.
    """

    def __init__(self, executable: str, *, timeout: float = 200.0) -> None:
        self._executable, self._timeout = executable, timeout
        self.requests: list[str] = []
        self.problems: list[str] = []
        self._number = 0
        self._buffer = b""
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self._profile = tempfile.mkdtemp(prefix="jostle-chromium-")
        to_child, self._out = os.pipe()
        self._in, from_child = os.pipe()
        command = [self._executable, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WITH_PIPES, str(to_child), str(from_child), *command],
            pass_fds=(to_child, from_child),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        os.set_blocking(self._in, False)
        try:
            self._attach()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _attach(self) -> None:
        pages = [t for t in self.send("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        attached = self.send("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        shutil.rmtree(self._profile, ignore_errors=True)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and wait for its answer.

        Raises:
            RuntimeError: The browser refused it.
            TimeoutError: It did not answer in time.
        """
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        until = time.monotonic() + self._timeout
        while True:
            answer = self._read(until)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])
            self._note(answer)

    def _read(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if time.monotonic() > until:
                raise TimeoutError("Chromium did not answer")
            try:
                part = os.read(self._in, 1 << 20)
            except BlockingIOError:
                time.sleep(0.005)
                continue
            if not part:
                raise RuntimeError("Chromium ended")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(line))

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.problems.append(
                    details.get("exception", {}).get("description") or details["text"]
                )
            case "Runtime.consoleAPICalled" if params["type"] == "error":
                self.problems.append(str([a.get("value") for a in params["args"]]))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.problems.append(params["entry"]["text"])
            case "Page.javascriptDialogOpening":
                self.problems.append(f"dialog: {params['message']}")

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression (a promise is awaited).

        Raises:
            AssertionError: It threw.
        """
        answer = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = 20.0) -> None:
        """Until a JavaScript expression is true.

        Raises:
            AssertionError: It was not in time.
        """
        until = time.monotonic() + seconds
        while not self.run(f"!!({script})"):
            if time.monotonic() > until:
                raise AssertionError(f"never came true: {script}")
            time.sleep(0.02)

    def open(self, path: Path) -> float:
        """Open a file and wait until the page says that it is ready; returns the seconds it took."""
        self.requests.clear()
        self.problems.clear()
        start = time.perf_counter()
        self.send("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.documentElement?.dataset.ready === '1'", 60)
        return time.perf_counter() - start

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        """Set the size of the page's view."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )

    def media(self, *, scheme: str = "light", kind: str = "screen") -> None:
        """Emulate a colour scheme and a medium (screen, print)."""
        self.send(
            "Emulation.setEmulatedMedia",
            media=kind,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def key(self, key: str, *, code: str = "", text: str = "", modifiers: int = 0) -> None:
        """Press and release one key."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        common = {
            "key": key,
            "code": code or key,
            "windowsVirtualKeyCode": codes.get(key, 0),
            "modifiers": modifiers,
        }
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def screenshot(self, path: Path, *, whole: bool = True) -> Path:
        """Save what the page looks like."""
        answer = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def pdf(self) -> bytes:
        """The page as it prints."""
        return base64.b64decode(self.send("Page.printToPDF", printBackground=True)["data"])


def texts(browser: Chromium, selector: str) -> Sequence[str]:
    """Text of every element that a selector finds."""
    found = browser.run(
        f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent.trim())"
    )
    return list(found)
