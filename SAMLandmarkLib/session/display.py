"""The views of a session: template and follow-ups side by side, each looking at the landmark under review."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ..review import Point
from ..scene.gray_levels import SharedGrayLevels
from ..scene.layout import MAXIMUM_SCANS, MainWindow, ScanViews, SlicerWindow, show_layout
from ..scene.linking import LinkedScrolling
from ..scene.mrml import VolumeNode
from ..scene.views import jump, mark, show_volume, unmark, unmark_all
from .jobs import SessionJobs
from .review_scene_store import ReviewSceneStore
from .scans import SessionScan, scan_titles

_Show = Callable[[VolumeNode, Point, str], None]
"""Shows a point (LPS mm) of a volume, with its name."""


class Viewing:
    """The landmark under review, the views that look at it, and the heat map of it.

    `awaited` are the labels just placed or moved on the template: a follow-up in which one is found looks at it.
    """

    def __init__(self, store: ReviewSceneStore, jobs: SessionJobs, window: MainWindow | None) -> None:
        self.current: tuple[str, str] | None = None
        self.awaited: Sequence[str] = ()
        self.linking = LinkedScrolling(store.scene)
        self.gray_levels = SharedGrayLevels(store.scene)
        self._one_at_a_time = False
        self._names_of_all = True
        self._jump: _Show = jump
        self._store = store
        self._jobs = jobs
        self._window = window or SlicerWindow(store.scene)
        self._orientations: tuple[str, ...] = ()
        self._shown: tuple[str, ...] = ()
        self._page = 0

    def show_side_by_side(self, orientations: Sequence[str]) -> None:
        """Show the scans side by side, the template first, each with its points in views of its own."""
        self._orientations = tuple(orientations)
        self._arrange()
        self.look_at_current()

    def leave_side_by_side(self) -> None:
        """Show what the window showed before, with the points of every scan in all views."""
        self._orientations = ()
        self._window.leave()
        self._store.show_points(self._jobs.template, self._jobs.follow_ups, apart=False)

    @property
    def one_at_a_time(self) -> bool:
        """Whether the template is shown beside one follow-up only, the one under review."""
        return self._one_at_a_time

    @one_at_a_time.setter
    def one_at_a_time(self, only_one: bool) -> None:
        if only_one != self._one_at_a_time:
            before = self.shown_follow_up
            self._one_at_a_time = only_one
            if before is not None:
                self._turn_to(before)
            if self._orientations:
                self._arrange()
                self.look_at_current()

    @property
    def names_of_all(self) -> bool:
        """Whether every point shows its name; else the one under review does, at its crosshair."""
        return self._names_of_all

    @names_of_all.setter
    def names_of_all(self, shown: bool) -> None:
        if shown != self._names_of_all:
            self._names_of_all = shown
            self.mark_current()

    def keep_the_body_in_place(self) -> None:
        """Let views in which a point is in sight move to its slice only; else every point comes to their middle."""
        self._jump = partial(jump, to_center=False)

    @property
    def shown_follow_up(self) -> str | None:
        """The key of the follow-up under review, or else of the first that is shown."""
        shown = filter(self._is_follow_up, self._shown)
        return self.current[0] if self.current is not None else next(shown, None)

    def watch_gray_levels(self) -> None:
        """Let the scans that there are now share their gray levels, where the user wants that."""
        self.gray_levels.watch([scan.node for scan in self._jobs.scans])

    def _arrange(self) -> None:
        scans = self._scans_to_show()
        self._shown = tuple(scan.key for scan in scans)
        titles = scan_titles(scans)
        views = [ScanViews(scan.key, titles[number], number) for number, scan in enumerate(scans)]
        with self.linking.paused():
            show_layout(self._store.scene, views, self._orientations, self._window)
            for scan in scans:
                show_volume(scan.node)
        self._store.show_points(self._jobs.template, self._jobs.follow_ups, apart=True)
        self.linking.watch()

    @property
    def pages(self) -> int:
        """How many pages the follow-ups fill that are shown beside the template."""
        return max(1, math.ceil(len(self._jobs.follow_ups) / self._room))

    @property
    def page(self) -> int:
        """The number of the page that is shown, from 0."""
        return min(self._page, self.pages - 1)

    @property
    def follow_ups_of_page(self) -> tuple[int, int]:
        """The numbers, from 1, of the first and the last follow-up of the page."""
        first = self.page * self._room
        return first + 1, min(first + self._room, len(self._jobs.follow_ups))

    @property
    def shown(self) -> tuple[str, ...]:
        """The keys of the scans that are shown side by side, the template first."""
        return self._shown if self._orientations else ()

    def turn_page(self, step: int) -> None:
        """Show the next (1) or the previous (-1) follow-ups; they look at the landmark under review."""
        self._page = (self.page + step) % self.pages
        if self._orientations:
            self._arrange()
            self.look_at_current()

    @property
    def _room(self) -> int:
        """How many follow-ups a page holds."""
        return 1 if self._one_at_a_time else MAXIMUM_SCANS - 1

    def _turn_to(self, key: str) -> None:
        keys = [scan.key for scan in self._jobs.follow_ups]
        if key in keys:
            self._page = keys.index(key) // self._room

    def _scans_to_show(self) -> list[SessionScan]:
        """The template and the follow-ups of the page."""
        first = self.page * self._room
        template = [] if self._jobs.template is None else [self._jobs.template]
        return [*template, *self._jobs.follow_ups[first : first + self._room]]

    def select(self, scan_key: str, label: str) -> None:
        """Review this landmark: template and follow-up look at it."""
        self.current, self.awaited = (scan_key, label), ()
        if scan_key not in self._shown:
            self._turn_to(scan_key)
            if self._orientations:
                self._arrange()
        self.look_at_current()
        self._let_heat_map_follow()

    def scene_closes(self) -> None:
        """Nothing is under review, and nothing scrolls together."""
        self.current, self.awaited, self.linking.on = None, (), False
        self.gray_levels.watch([])

    def select_nothing(self) -> None:
        """No landmark is under review, as with another template."""
        self.current, self.awaited = None, ()
        self._jobs.heat_maps.hide()
        unmark_all(self._store.scene)

    def moved_by_user(self, scan: SessionScan, labels: Sequence[str]) -> None:
        """The user put landmarks of a follow-up elsewhere: they are what is under review now."""
        if self.current is None or self.current[0] != scan.key or self.current[1] not in labels:
            self.current = (scan.key, labels[0])
            # not the follow-up: it stays where the user's mouse is
            with self.linking.paused():
                self._show(self._place_in_template(), self._jump)
            self._let_heat_map_follow()
        self.mark_current()

    def found(self, scan: SessionScan, labels: Sequence[str]) -> bool:
        """Landmarks were found in a follow-up; whether one of them is under review because it was just placed."""
        awaited = [label for label in self.awaited if label in labels]
        if not awaited:
            return False
        if self.current is None or self.current[1] not in awaited:
            self.current = (scan.key, awaited[-1])
            self._let_heat_map_follow()
        with self.linking.paused():
            # not the template: it stays where the user's mouse is
            self._show(self._place_in_follow_up(scan.key), self._jump)
        self._show(self._place_in_template(), mark)
        return True

    def look_at_current(self) -> None:
        """Let the views of template and follow-up look at the current landmark, with a crosshair there."""
        with self.linking.paused():
            self._show(self._place_in_template(), self._jump)
            for key in self._looking():
                self._show(self._place_in_follow_up(key), self._jump)

    def _looking(self) -> list[str | None]:
        """The follow-ups that look at the current landmark: its own, or all of a page that does not show that one."""
        turned_away = self.current is not None and self.shown and self.current[0] not in self.shown
        return [key for key in self.shown if self._is_follow_up(key)] if turned_away else [None]

    def _is_follow_up(self, key: str) -> bool:
        return self._jobs.template is None or key != self._jobs.template.key

    def look_at(self, places_lps: Mapping[str, Point]) -> None:
        """Let the views of scans, by their keys, look at places (LPS mm, each scan's own frame)."""
        for key in places_lps:
            if self._orientations and key not in self._shown and self._jobs.scan(key) is not None:
                self._turn_to(key)
                self._arrange()
        with self.linking.paused():
            for key, position_lps in places_lps.items():
                if (scan := self._jobs.scan(key)) is not None:
                    self._jump(scan.node, position_lps, "")

    def mark_current(self) -> None:
        """Put the crosshairs where the current landmark is now; the views stay where they are."""
        self._show(self._place_in_template(), mark)
        self._show(self._place_in_follow_up(), mark)

    def show_heat_map(self, scan_key: str, label: str) -> bool:
        """Lay the similarity to a landmark over a follow-up; False where there is no such landmark or scan."""
        place, scan = self._store.template_lps(label), self._jobs.scan(scan_key)
        if place is None or scan is None:
            return False
        self._jobs.show_heat_map(place, scan)
        return True

    def _let_heat_map_follow(self) -> None:
        if self.current is not None and self._jobs.heat_maps.shown:
            self.show_heat_map(*self.current)

    def _place_in_template(self) -> tuple[SessionScan | None, Point | None]:
        return self._jobs.template, None if self.current is None else self._store.template_lps(
            self.current[1]
        )

    def _place_in_follow_up(self, scan_key: str | None = None) -> tuple[SessionScan | None, Point | None]:
        """The current landmark in its follow-up, or in the one with `scan_key`."""
        if self.current is None:
            return None, None
        key, label = scan_key or self.current[0], self.current[1]
        item = self._store.state.item(key, label)
        return self._jobs.scan(key), None if item is None else item.place_of_interest

    def _show(
        self,
        place: tuple[SessionScan | None, Point | None],
        how: _Show,
    ) -> None:
        scan, position_lps = place
        if scan is not None and position_lps is not None:
            name = "" if self._names_of_all or self.current is None else self.current[1]
            how(scan.node, position_lps, name)
        elif scan is not None:
            unmark(scan.node)
