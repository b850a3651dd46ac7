"""The views of a session: template and follow-ups side by side, each looking at the landmark under review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..review import Point
from ..scene.layout import MAXIMUM_SCANS, ScanViews, show_layout
from ..scene.views import jump, show_volume
from .scans import Scan


def show_side_by_side(scene: object, scans: Sequence[Scan], orientations: Sequence[str]) -> None:
    """Show the first six scans side by side, the template first, each in views of its own."""
    shown = list(scans)[:MAXIMUM_SCANS]
    titles = view_titles(shown)
    views = [ScanViews(scan.key, titles[number], number) for number, scan in enumerate(shown)]
    show_layout(scene, views, orientations)
    for scan in shown:
        show_volume(scan.node)


def view_titles(scans: Sequence[Scan]) -> list[str]:
    """The study dates, with the name where a date is unknown or occurs twice."""
    dates = Counter(scan.date for scan in scans)
    return [_title(scan, dates[scan.date] > 1) for scan in scans]


def _title(scan: Scan, ambiguous: bool) -> str:
    if scan.date is None:
        return scan.name
    return f"{scan.date} {scan.name}" if ambiguous else scan.date


def look_at(scan: Scan | None, position_lps: Point | None) -> None:
    """Let a scan's views look at a point, where both are known."""
    if scan is not None and position_lps is not None:
        jump(scan.node, position_lps)
