"""The views of a session: template and follow-ups side by side, each looking at the landmark under review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from ..review import Point
from ..scene.layout import MAXIMUM_SCANS, ScanViews, Window, show_layout
from ..scene.linking import LinkedScrolling
from ..scene.views import jump, mark, show_volume, unmark, unmark_all
from .board import ReviewBoard
from .scans import Scan
from .work import Work


def view_titles(scans: Sequence[Scan]) -> list[str]:
    """The study dates, with the name where a date is unknown or occurs twice."""
    dates = Counter(scan.date for scan in scans)
    return [_title(scan, dates[scan.date] > 1) for scan in scans]


def _title(scan: Scan, ambiguous: bool) -> str:
    if scan.date is None:
        return scan.name
    return f"{scan.date} {scan.name}" if ambiguous else scan.date


class Viewing:
    """The landmark under review, the views that look at it, and the heat map of it.

    `awaited` are the labels just placed or moved on the template: a follow-up in which one is found looks at it.
    """

    def __init__(self, board: ReviewBoard, work: Work, window: Window | None) -> None:
        self.current: tuple[str, str] | None = None
        self.awaited: Sequence[str] = ()
        self.linking = LinkedScrolling(board.scene)
        self._board = board
        self._work = work
        self._window = window
        self._orientations: tuple[str, ...] = ()
        self._shown: tuple[str, ...] = ()

    def show_side_by_side(self, orientations: Sequence[str]) -> None:
        """Show the scans side by side, the template first, each with its points in views of its own."""
        self._orientations = tuple(orientations)
        self._arrange()
        self.look_at_current()

    def leave_side_by_side(self) -> None:
        """Show the points of every scan in all views."""
        self._orientations = ()
        self._board.show_points(self._work.template, self._work.follow_ups, apart=False)

    def _arrange(self) -> None:
        scans = self._scans_to_show()
        self._shown = tuple(scan.key for scan in scans)
        titles = view_titles(scans)
        views = [ScanViews(scan.key, titles[number], number) for number, scan in enumerate(scans)]
        with self.linking.paused():
            show_layout(self._board.scene, views, self._orientations, self._window)
            for scan in scans:
                show_volume(scan.node)
        self._board.show_points(self._work.template, self._work.follow_ups, apart=True)
        self.linking.watch()

    def _scans_to_show(self) -> list[Scan]:
        """As many as there is room for; the one under review takes the last place if it has none."""
        first = self._work.scans[:MAXIMUM_SCANS]
        current = None if self.current is None else self._work.scan(self.current[0])
        return first if current is None or current in first else [*first[:-1], current]

    def select(self, scan_key: str, label: str) -> None:
        """Review this landmark: template and follow-up look at it."""
        self.current, self.awaited = (scan_key, label), ()
        if self._orientations and scan_key not in self._shown:
            self._arrange()
        self.look_at_current()
        self._let_heat_map_follow()

    def select_nothing(self) -> None:
        """No landmark is under review, as with another template."""
        self.current, self.awaited = None, ()
        self._work.heat_maps.hide()
        unmark_all(self._board.scene)

    def moved_by_user(self, scan: Scan, labels: Sequence[str]) -> None:
        """The user put landmarks of a follow-up elsewhere: they are what is under review now."""
        if self.current is None or self.current[0] != scan.key or self.current[1] not in labels:
            self.current = (scan.key, labels[0])
            # not the follow-up: it stays where the user's mouse is
            with self.linking.paused():
                _show(self._place_in_template(), jump)
            self._let_heat_map_follow()
        self.mark_current()

    def found(self, scan: Scan, labels: Sequence[str]) -> bool:
        """Landmarks were found in a follow-up; whether one of them is under review because it was just placed."""
        awaited = [label for label in self.awaited if label in labels]
        if not awaited:
            return False
        if self.current is None or self.current[1] not in awaited:
            self.current = (scan.key, awaited[-1])
            self._let_heat_map_follow()
        with self.linking.paused():
            # not the template: it stays where the user's mouse is
            place = self._board.state.item(scan.key, self.current[1]).place_of_interest
            _show((scan, place), jump)
        _show(self._place_in_template(), mark)
        return True

    def look_at_current(self) -> None:
        """Let the views of template and follow-up look at the current landmark, with a crosshair there."""
        with self.linking.paused():
            _show(self._place_in_template(), jump)
            _show(self._place_in_follow_up(), jump)

    def mark_current(self) -> None:
        """Put the crosshairs where the current landmark is now; the views stay where they are."""
        _show(self._place_in_template(), mark)
        _show(self._place_in_follow_up(), mark)

    def show_heat_map(self, scan_key: str, label: str) -> bool:
        """Lay the similarity to a landmark over a follow-up; False where there is no such landmark or scan."""
        place, scan = self._board.template_lps(label), self._work.scan(scan_key)
        if place is None or scan is None:
            return False
        self._work.show_heat_map(place, scan)
        return True

    def _let_heat_map_follow(self) -> None:
        if self._work.heat_maps.shown:
            self.show_heat_map(*self.current)

    def _place_in_template(self) -> tuple[Scan | None, Point | None]:
        return self._work.template, None if self.current is None else self._board.template_lps(
            self.current[1]
        )

    def _place_in_follow_up(self) -> tuple[Scan | None, Point | None]:
        if self.current is None:
            return None, None
        item = self._board.state.item(*self.current)
        return self._work.scan(self.current[0]), None if item is None else item.place_of_interest


def _show(place: tuple[Scan | None, Point | None], how: Callable[[object, Point], None]) -> None:
    scan, position_lps = place
    if scan is not None and position_lps is not None:
        how(scan.node, position_lps)
    elif scan is not None:
        unmark(scan.node)
