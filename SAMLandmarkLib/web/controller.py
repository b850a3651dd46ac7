"""Joins a session with the page: what the user does on the page goes to the session, what changes there to the page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from trame_server import Server

from ..crops import BONE, LUNG, SOFT_TISSUE, Window
from ..errors import SAMLandmarkError
from ..landmarks import LandmarkSet
from ..scene.application import SceneApplication
from ..scene.follow_up import draw_finely
from ..scene.layout import ORIENTATIONS
from ..scene.observers import Observers
from ..scene.points import add_points, create_points
from ..scene.studies import study_date
from ..scene.volumes import add_volume, show_window
from ..session import Change, TransferSession
from ..session.placing import Placing
from ..session.review_actions import REVIEW_KEYS, ReviewActions
from ..translation import _
from ..worker import WorkerClient
from . import mirror
from .page_state import ALL_ORIENTATIONS, initial_state
from .page_views import PageViews
from .paths import without_paths
from .received import ReceivedScan
from .streamed_view import StreamedView
from .uploads import shown_name

WINDOWS: dict[str, Window] = {window.name: window for window in (SOFT_TISSUE, LUNG, BONE)}
_POLL_SECONDS = 0.02
_LOG = logging.getLogger(__name__)


def _told(method: Callable[..., None]) -> Callable[..., None]:
    """Tell the user what goes wrong in something that the page has called; the page itself lives on."""

    @wraps(method)
    def call(self: Controller, *values: Any) -> None:
        try:
            method(self, *values)
        except SAMLandmarkError as error:
            self.tell(str(error))
        # Whatever a browser sends must not end in a text with this computer's paths on the page.
        except Exception:
            _LOG.exception("The page asked for %s%r", method.__name__, values)
            self.tell(_("That did not work; the terminal with the server tells more."))
        self._refresh_soon()

    return call


class Controller:
    """A session, its worker and the state of the page."""

    def __init__(self, server: Server, application: SceneApplication, worker: WorkerClient) -> None:
        self.state = server.state
        self.state.update(initial_state(tuple(WINDOWS)))
        self.views = PageViews(server, application, self._fit, self._moved)
        self.session = TransferSession(application.scene, worker, window=self.views)
        self._application, self._worker = application, worker
        self._actions = ReviewActions(self.session)
        self._placing = Placing(self.session, self._switch_placing)
        self._changes: set[Change] = set(Change)
        self._refreshing = self._moving = False
        self._arranged: tuple | None = None
        self._observers = Observers()
        for event in (application.scene.EndUndoEvent, application.scene.EndRedoEvent):
            self._observers.add(application.scene, event, self.views.draw_markups_anew)
        self.session.live = True
        self.session.add_listener(self._session_changed)
        for name in ("review", "key", "select", "place", "transfer", "cancel", "show", "rename", "remove"):
            server.trigger(name)(getattr(self, f"_{name}"))
        server.trigger("fit")(self._fit_all)
        server.trigger("read_message")(self._read_message)
        for name in ("orientation", "window", "linked", "only", "heat_map", "corrections"):
            server.state.change(name)(self._changed_on_page(name))

    async def run(self) -> None:
        """Take what the worker sends, until cancelled."""
        self._refresh()
        while True:
            self.session.poll()
            await asyncio.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Stop what runs, and end the worker."""
        self._placing.close()
        self._observers.clear()
        self.session.close()
        self._worker.close()

    # ---- scans

    def take_scan(self, scan: ReceivedScan, role: str, landmarks: LandmarkSet | None = None) -> None:
        """Show a scan as the template, with its landmarks if there are any, or as a further follow-up."""
        node = add_volume(self._application.scene, scan.volume, scan.volume.name, scan.date)
        show_window(node, WINDOWS[self.state.window])
        if role == "template":
            self._placing.stop()
            points = create_points(self._application.scene)
            draw_finely(points.GetDisplayNode())
            add_points(points, node, landmarks or ())
            self.session.set_template(node, points)
        else:
            self.session.set_follow_ups([*(known.volume_node for known in self.session.follow_ups), node])
        self.tell(" ".join(f"{scan.volume.name}: {text}" for text in scan.volume.warnings))

    def reading_text(self, name: str) -> str:
        """What to tell while an uploaded file is read."""
        return _("Reading {name} ...").format(name=shown_name(name))

    def tell(self, message: str) -> None:
        """Show a message on the page."""
        self.session.tell(message)

    # ---- what the user does

    @_told
    def _review(self, action: str) -> None:
        self._actions.do(action)

    @_told
    def _key(self, key: str) -> None:
        self._actions.do(REVIEW_KEYS[key])

    @_told
    def _select(self, key: str, label: str) -> None:
        if label in self.session.labels and any(scan.key == key for scan in self.session.follow_ups):
            self.session.select(key, label)

    @_told
    def _place(self) -> None:
        if self._placing.active or self.session.template_markups is None:
            self._placing.stop()
        else:
            self._placing.start()
        self.state.placing = self._placing.active

    @_told
    def _transfer(self) -> None:
        self.session.transfer()

    @_told
    def _cancel(self) -> None:
        self.session.cancel()

    @_told
    def _show(self, key: str, label: str) -> None:
        self._select(key, label)

    @_told
    def _rename(self, label: str, new: str) -> None:
        new = new.strip()
        if new and new != label and new not in self.session.labels:
            self.session.scene.SaveStateForUndo()
            markups = self.session.template_markups
            markups.SetNthControlPointLabel(self._number_of(label), new)

    @_told
    def _remove(self, label: str) -> None:
        self.session.scene.SaveStateForUndo()
        self.session.template_markups.RemoveNthControlPoint(self._number_of(label))

    @_told
    def _fit_all(self) -> None:
        self.views.fit_all()

    @_told
    def _read_message(self) -> None:
        self.session.clear_message()

    def _number_of(self, label: str) -> int:
        markups = self.session.template_markups
        numbers = range(markups.GetNumberOfControlPoints())
        return next(number for number in numbers if markups.GetNthControlPointLabel(number) == label)

    def _switch_placing(self, on: bool) -> None:
        self._application.let_mouse_place(self.session.template_markups if on else None)

    def _changed_on_page(self, name: str) -> Callable[..., None]:
        def changed(**_state: Any) -> None:
            getattr(self, f"_take_{name}")(self.state[name])

        return changed

    @_told
    def _take_orientation(self, orientation: str) -> None:
        self._arrange()

    @_told
    def _take_window(self, window: str) -> None:
        for node in self._volume_nodes():
            show_window(node, WINDOWS[window])

    @_told
    def _take_linked(self, linked: bool) -> None:
        self.session.linked_scrolling = bool(linked)

    @_told
    def _take_only(self, key: str | None) -> None:
        self.views.show_only(key or None)

    @_told
    def _take_heat_map(self, wanted: bool) -> None:
        if wanted and not self.session.heat_map_shown:
            self.session.show_heat_map()
        elif not wanted and self.session.heat_map_shown:
            self.session.hide_heat_map()

    @_told
    def _take_corrections(self, use: bool) -> None:
        self.session.use_corrections = bool(use)

    # ---- views

    def _volume_nodes(self) -> list[object]:
        nodes = (self.session.template_volume, *(scan.volume_node for scan in self.session.follow_ups))
        return [node for node in nodes if node is not None]

    def _arrange(self) -> None:
        if self.session.template_volume is None:
            return
        chosen = self.state.orientation
        orientations = ORIENTATIONS if chosen == ALL_ORIENTATIONS else (chosen,)
        wanted = (tuple(node.GetID() for node in self._volume_nodes()), orientations)
        if wanted != self._arranged:
            self._arranged = wanted
            self.session.show_side_by_side(orientations)

    def _moved(self) -> None:
        """A view shows another slice: say where, once for all events of one turn."""
        if not self._moving:
            self._moving = True
            asyncio.get_running_loop().call_soon(self._show_offsets)

    def _show_offsets(self) -> None:
        self._moving = False
        with self.state:
            self.state.offsets = self.views.positions()

    def _fit(self, view: StreamedView) -> None:
        with self.session.views_apart():
            view.slice.fit()
        if self.session.current is not None:
            self.session.select(*self.session.current)

    # ---- what changed in the session

    def _session_changed(self, change: Change) -> None:
        self._changes.add(change)
        self._refresh_soon()

    def _refresh_soon(self) -> None:
        if not self._refreshing:
            self._refreshing = True
            asyncio.get_running_loop().call_soon(self._refresh)

    def _refresh(self) -> None:
        self._refreshing = False
        changes, self._changes = self._changes, set()
        with self.state:
            if Change.SCANS in changes:
                self._arrange()
                self._show_titles()
            if changes & {Change.SCANS, Change.REVIEW, Change.SELECTION}:
                self.state.table = mirror.table(self.session)
            if Change.SELECTION in changes and self.session.current is not None and self.state.only:
                self.state.only = self.session.current[0]
            self.state.current = mirror.current(self.session, self._actions)
            self.state.heat_map = self.session.heat_map_shown
            self.state.status = mirror.status(self.session)
            self.state.message = without_paths(self.session.message)
            self.state.placing = self._placing.active
            self.state.can_place = self.session.template_markups is not None

    def _show_titles(self) -> None:
        template = self.session.template_volume
        date = None if template is None else study_date(template)
        self.state.titles = mirror.titles(self.session, date)
