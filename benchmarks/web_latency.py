"""Measures how long the page takes from a click on the template to the match on the screen.

    python benchmarks/web_latency.py [--clicks 12] [--screenshot Resources/Screenshots/web-review.png]

Starts `samlandmark serve --demo`, opens its page in headless Chromium, and clicks through places of the template. The
time runs from the release of the mouse to the first picture of the follow-up in the page that shows the point there.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "web")]

from page_server import PageServer
from visitor import CHROMIUM_FLAGS, FOLLOW_UP, TEMPLATE, Visitor

SHOWN = "left_kidney_upper_pole"
# Tells in the page itself when the table has a point and when the follow-up's next picture is there.
WATCH = """([label, view]) => {
  const picture = () => document.querySelector(`#${view} img`)?.src;
  const known = () => window.trame.state.get("table").rows.find((row) => row.label === label)?.cells[0].status;
  window.latency = { found: null, shown: null };
  window.addEventListener("mouseup", () => {
    const start = performance.now();
    let before = null;
    const look = () => {
      if (window.latency.found === null && known()) {
        window.latency.found = performance.now() - start;
      }
      // the table and the picture come in either order
      if (before === null) before = picture();
      if (window.latency.found !== null && picture() !== before) {
        window.latency.shown = performance.now() - start;
        return;
      }
      requestAnimationFrame(look);
    };
    look();
  }, { once: true, capture: true });
}"""


def measure(visitor: Visitor, clicks: int) -> list[dict[str, float]]:
    """Milliseconds from each click until the table has the point ("found") and the picture shows it ("shown")."""
    visitor.page.click("#place")
    visitor.wait("get('placing')")
    times = []
    for number in range(1, clicks + 1):
        right, down = 60 * (number % 5 - 2), 25 * (number % 4 - 1)
        visitor.hover(TEMPLATE, right, down)
        visitor.page.evaluate(WATCH, [f"Point {number + 20}", FOLLOW_UP])
        visitor.page.mouse.down()
        visitor.page.mouse.up()
        visitor.page.wait_for_function("window.latency.shown !== null")
        times.append(visitor.page.evaluate("window.latency"))
        visitor.page.wait_for_timeout(500)
    visitor.page.click("#place")
    return times


def report(times: list[dict[str, float]]) -> None:
    """Print the medians and the slowest."""
    print(f"{len(times)} clicks; {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    for name, text in (("found", "point in the table"), ("shown", "point in the follow-up's picture")):
        values = [time[name] for time in times]
        print(f"{text}: median {statistics.median(values):.0f} ms, slowest {max(values):.0f} ms")


def main() -> None:
    """Measure, and take a picture of the page where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=12)
    parser.add_argument("--screenshot", type=Path)
    options = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        server = PageServer(["--demo"], Path(folder))
        browser = driver.chromium.launch(executable_path=chromium, headless=True, args=CHROMIUM_FLAGS)
        try:
            visitor = Visitor(browser.new_page(viewport={"width": 1280, "height": 800}), server.address)
            visitor.wait_until_ready()
            visitor.page.wait_for_selector(f"td[data-label='{SHOWN}'][data-status]")
            visitor.wait_until_ready()
            visitor.choose(SHOWN)
            visitor.page.wait_for_timeout(1500)
            if options.screenshot:
                visitor.page.screenshot(path=options.screenshot)
            report(measure(visitor, options.clicks))
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
