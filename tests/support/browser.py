"""Chromium without a window, driven through its DevTools by a pair of pipes: no port is opened, no driver needed."""

from __future__ import annotations

import base64
import contextlib
import io
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from PIL import Image

SECONDS = 60
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--remote-debugging-pipe", "about:blank",
)  # fmt: skip

INSTALL = "there is no chromium: apt-get install chromium, as root"


def find_chromium() -> str | None:
    """The browser, if it is installed."""
    return shutil.which("chromium")


@dataclass
class Visit:
    """What a page did while it was opened."""

    requests: list[str] = field(default_factory=list)
    """What it asked for, itself included."""
    complaints: list[str] = field(default_factory=list)
    """What the browser's console says, among it violations of the page's security policy."""


class Browser:
    """One tab; a context manager that ends the browser. Not for several threads."""

    def __init__(self, chromium: str) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        ours, theirs = os.pipe(), os.pipe()  # it reads from its descriptor 3, and writes to its 4
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{ours[0]} 4>&{theirs[1]}', "bash", chromium,
             f"--user-data-dir={self._profile.name}", *_FLAGS],
            pass_fds=(ours[0], theirs[1]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(ours[0])
        os.close(theirs[1])
        self._to, self._from = os.fdopen(ours[1], "wb", buffering=0), os.fdopen(theirs[0], "rb")
        self._pending = b""
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self._visit = Visit()
        self._loaded = False
        targets = self._ask("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self._ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._ask(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._session = None
        with contextlib.suppress(OSError, EOFError):
            self._ask("Browser.close")
        for pipe in (self._to, self._from):
            pipe.close()
        try:
            self._process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._profile.cleanup()

    def open(self, page: Path, *, width: int = 1000, scheme: Literal["light", "dark"] = "light") -> Visit:
        """Opens a file and waits until it is drawn."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._ask("Emulation.setEmulatedMedia", features=[feature])
        self._visit, self._loaded = Visit(), False
        self._ask("Page.navigate", url=page.absolute().as_uri())
        while not self._loaded:
            self._receive()
        assert self.evaluate("location.href") == page.absolute().as_uri()
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self._visit

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript in the page, as JSON can carry it."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self) -> Image.Image:
        """The whole page, as wide as it was opened."""
        answer = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return Image.open(io.BytesIO(base64.b64decode(answer["data"]))).convert("RGB")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self) -> dict[str, Any]:
        """The next message; what an event says of the page is noted."""
        while b"\0" not in self._pending:
            received = self._from.read1()
            if not received:
                raise EOFError("Chromium has ended.")
            self._pending += received
        content, _, self._pending = self._pending.partition(b"\0")
        message: dict[str, Any] = json.loads(content)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, event: str | None, said: dict[str, Any]) -> None:
        match event:
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self._visit.requests.append(said["request"]["url"])
            case "Log.entryAdded":
                self._visit.complaints.append(said["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Page.javascriptDialogOpening":
                raise AssertionError(f"A page without scripts has run one: {said}")
