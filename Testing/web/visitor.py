"""Somebody who uses the page with mouse and keyboard."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TEMPLATE, FOLLOW_UP = "SAMLandmark0Axial", "SAMLandmark1Axial"
# For a machine that has much else to do; who waits for a state does not wait longer than it takes.
_MILLISECONDS = 180_000
# Counts how often the page has told the server where the mouse is. What is sent later arrives later.
_COUNT_MOVES = """() => {
  if (window.sentMoves !== undefined) return;
  window.sentMoves = 0;
  const send = WebSocket.prototype.send;
  const text = new TextDecoder("latin1");
  WebSocket.prototype.send = function (data) {
    const written = typeof data === "string" ? data : text.decode(data);
    const isMove = written.includes("trame.rca.event") && written.includes("MouseMove");
    send.call(this, data);
    if (isMove) window.sentMoves += 1;
  };
}"""


class Visitor:
    """A person in front of an opened page; waits for what the page shows, never for a time that it might take."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        page.set_default_timeout(_MILLISECONDS)
        self.answer = page.goto(address)

    # ---- looking

    def state(self, name: str) -> Any:
        """A variable of the page, as it was sent last."""
        return self.page.evaluate(f"window.trame.state.get('{name}')")

    def wait(self, condition: str) -> None:
        """Wait until a condition in JavaScript holds; `get(name)` in it is a variable of the page."""
        self.page.wait_for_function(
            f"() => {{ const get = (name) => window.trame?.state?.get(name); return {condition}; }}"
        )

    def wait_for_slice(self, view: str, words: str) -> None:
        """Wait until a view says that it shows a slice, like "S 12 mm"."""
        label = self.page.locator(f"#{view} .sl-offset")
        self.page.wait_for_selector(f"#{view} .sl-offset")
        end = time.monotonic() + _MILLISECONDS / 1000
        while not label.inner_text().endswith(words):
            assert time.monotonic() < end, f"{view} shows {label.inner_text()}, not {words}."
            self.page.wait_for_timeout(50)

    def wait_until_ready(self) -> None:
        """Wait until the page is there and nothing is computed."""
        self.page.wait_for_selector("#place")
        self.wait("get('status')?.busy === false")

    def cell(self, label: str, column: int = 0) -> dict[str, Any]:
        """What the table holds for a landmark."""
        rows = {row["label"]: row["cells"] for row in self.state("table")["rows"]}
        return rows[label][column]

    def wait_for_decision(self, label: str, decision: str) -> None:
        """Wait until the table shows a decision."""
        self.page.wait_for_selector(f"td[data-label='{label}'][data-decision='{decision}']")

    def place_of(self, label: str) -> np.ndarray:
        """Where a landmark is in the follow-up, LPS mm."""
        return np.array(self.cell(label)["position_lps"])

    def picture(self, view: str) -> np.ndarray:
        """A view as it is on the screen, `[height, width, 3]`."""
        shot = self.page.locator(f"#{view} img").first.screenshot()
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)

    def wait_for_picture(self, view: str, condition: Callable[[np.ndarray], bool]) -> None:
        """Wait until a view on the screen is as it should be."""
        end = time.monotonic() + _MILLISECONDS / 1000
        while not condition(self.picture(view)):
            assert time.monotonic() < end, f"{view} never looked as it should."
            self.page.wait_for_timeout(100)

    def middle(self, view: str) -> tuple[float, float]:
        """The middle of a view on the page."""
        box = self.page.locator(f"#{view}").bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    # ---- doing

    def press(self, key: str) -> None:
        """Press a key."""
        self.page.keyboard.press(key)

    def results(self) -> dict[str, Any]:
        """Decision and place of every landmark in every follow-up."""
        rows = self.state("table")["rows"]
        return {
            row["label"]: [(cell.get("decision"), cell.get("position_lps")) for cell in row["cells"]]
            for row in rows
        }

    def undo_until(self, results: dict[str, Any]) -> None:
        """Undo until the results are these."""
        for _ in range(20):
            before = self.results()
            if before == results:
                return
            self.press("Control+z")
            end = time.monotonic() + _MILLISECONDS / 1000
            while self.results() == before:
                assert time.monotonic() < end, "An undo changed nothing."
                self.page.wait_for_timeout(50)
        raise AssertionError("The results never came back.")

    def choose(self, label: str, column: int = 0) -> None:
        """Click on a result in the table, and wait until the views have gone there."""
        self.page.locator(f"td[data-label='{label}']").nth(column).click()
        self.wait(f"get('current').label === '{label}'")

    def move_mouse(self, x: float, y: float) -> None:
        """Move the mouse to a place in a view, and wait until the page has told the server."""
        self.page.evaluate(_COUNT_MOVES)
        before = self.page.evaluate("window.sentMoves")
        self.page.mouse.move(x, y)
        self.page.wait_for_function(f"() => window.sentMoves > {before}")

    def hover(self, view: str, right: float = 0.0, down: float = 0.0) -> None:
        """Move the mouse to so many pixels from the middle of a view."""
        x, y = self.middle(view)
        self.move_mouse(x + right - 5, y + down - 5)
        self.move_mouse(x + right, y + down)

    def click(self, view: str, right: float = 0.0, down: float = 0.0) -> None:
        """Click so many pixels from the middle of a view."""
        self.hover(view, right, down)
        self.page.mouse.down()
        self.page.mouse.up()

    def drag(self, view: str, right: float, down: float) -> None:
        """Drag what is in the middle of a view by so many pixels."""
        self.hover(view)
        x, y = self.middle(view)
        self.page.mouse.down()
        for part in (0.3, 0.7, 1.0):
            self.move_mouse(x + part * right, y + part * down)
        self.page.mouse.up()


def count_color(picture: np.ndarray, color: tuple[float, float, float], within: int = 60) -> int:
    """How many pixels of a picture are of a color (0 to 1), as the compression left it."""
    return int((np.abs(picture - 255 * np.array(color)).sum(axis=2) < within).sum())
