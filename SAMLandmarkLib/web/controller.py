"""Joins a session with the page: what the user does on the page goes to the session, what changes there to the page."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from trame_server import Server

from ..core.grey_windows import GreyWindow
from ..core.landmarks import LandmarkSet
from ..core.modality import CT_DISPLAY
from ..scene.application import SceneApplication
from ..scene.layout import ORIENTATIONS
from ..scene.observers import Observers
from ..scene.points import add_points, create_points
from ..scene.volumes import add_volume, show_window
from ..session import Change, TransferSession
from ..session.placing import Placing
from ..session.protocols import protocol_names
from ..session.review_actions import ReviewActions
from ..utils.translation import _
from ..worker import WorkerClient
from . import view_model
from .page_state import ALL_ORIENTATIONS, initial_state, sources
from .page_views import PageViews
from .paths import without_paths
from .registered_overlay import RegisteredOverlay
from .streamed_view import StreamedView
from .uploaded_scan import ReceivedScan
from .uploads import shown_name

WINDOWS: dict[str, GreyWindow] = {window.name: window for window in CT_DISPLAY.presets}
UNEXPECTED = _("That did not work; the terminal with the server tells more.")
_POLL_SECONDS = 0.02
_LOG = logging.getLogger(__name__)


class Controller:
    """A session, its worker and the state of the page."""

    def __init__(self, server: Server, application: SceneApplication, worker: WorkerClient) -> None:
        self.state = server.state
        self.state.update(initial_state(tuple(WINDOWS)))
        self.views = PageViews(server, application, self._fit, self._moved)
        self.session = TransferSession(application.scene, worker, window=self.views)
        self.review = ReviewActions(self.session)
        self.overlay = RegisteredOverlay(self.session)
        self.placing = Placing(self.session, self._switch_placing)
        self._application, self._worker = application, worker
        self._changes: set[Change] = set(Change)
        self._refreshing = self._moving = False
        self._arranged: tuple | None = None
        self._template: tuple[Any, Any] = (None, None)
        # by the names that the page has for them: what a browser sends is never taken for a path
        self._protocols = {name: name for name in ("", *protocol_names())}
        self._observers = Observers()
        for event in (application.scene.EndUndoEvent, application.scene.EndRedoEvent):
            self._observers.add(application.scene, event, self.views.draw_markups_anew)
        self._observers.add(*application.mouse_mode_event, self._mouse_mode_changed)
        self.session.live = True
        self.session.add_listener(self._session_changed)

    async def run(self) -> None:
        """Take what the worker sends, until cancelled."""
        self._refresh()
        while True:
            try:
                self.session.poll()
            # A mistake in what follows from one answer must not keep all later ones from the page.
            except Exception:
                _LOG.exception("An answer of the engine could not be taken")
                self.notify_user(UNEXPECTED)
            await asyncio.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Stop what runs, and end the worker."""
        self.placing.close()
        self._observers.clear()
        self.session.close()
        self._worker.close()

    # ---- scans

    def take_scan(self, scan: ReceivedScan, role: str, landmarks: LandmarkSet | None = None) -> None:
        """Show a scan as the template, with its landmarks if there are any, or as a further follow-up."""
        node = add_volume(self._application.scene, scan.volume, scan.volume.name, scan.date)
        show_window(node, WINDOWS[self.state.window])
        if role == "template":
            self.placing.stop()
            points = create_points(self._application.scene)
            add_points(points, node, landmarks or ())
            before, self._template = self._template[0], (node, points)
            self.session.set_template(node, points)
            if before is not None:
                self._application.scene.RemoveNode(before)
        else:
            self.session.set_follow_ups([*(known.volume_node for known in self.session.follow_ups), node])
            self._find_named_landmarks()
        self.notify_user(" ".join(f"{scan.volume.name}: {text}" for text in scan.volume.warnings))

    def offer_protocol(self, protocol: str) -> str:
        """Offer a protocol, such as an atlas file, on the page too; returns the name that the page has for it."""
        name = protocol if protocol in self._protocols else Path(protocol).name
        self._protocols.setdefault(name, protocol)
        return name

    def choose_protocol(self, name: str) -> None:
        """Find a protocol's landmarks on all scans, the template among them; an empty name: the template's points."""
        protocol = self._protocols.get(name)
        if protocol is None or protocol == self.session.protocol:
            return
        nodes = self._volume_nodes()
        self.placing.stop()
        if protocol:
            self.session.set_protocol(protocol)
        else:
            self.session.set_template(*self._template)
        self.session.set_follow_ups(nodes)
        self._find_named_landmarks()

    def _find_named_landmarks(self) -> None:
        if self.session.protocol and not self.session.blocking_reason:
            self.session.transfer()

    def reading_text(self, name: str) -> str:
        """What to tell while an uploaded file is read."""
        return _("Reading {name} ...").format(name=shown_name(name))

    def notify_user(self, message: str) -> None:
        """Show a message on the page; "" takes the last one away."""
        self.session.notify_user(message)

    # ---- views

    def show_gray_levels(self, window: str) -> None:
        """Show all scans with a gray-level window of this name."""
        for node in self._volume_nodes():
            show_window(node, WINDOWS[window])

    def arrange(self) -> None:
        """Show the scans that there are in the orientation that is chosen."""
        if self.session.template_volume is None and not self.session.protocol:
            return
        chosen = self.state.orientation
        orientations = ORIENTATIONS if chosen == ALL_ORIENTATIONS else (chosen,)
        has_template = self.session.template_volume is not None
        wanted = (has_template, tuple(node.GetID() for node in self._volume_nodes()), orientations)
        if wanted != self._arranged:
            self._arranged = wanted
            self.views.has_template = has_template
            self.session.show_side_by_side(orientations)

    def _switch_placing(self, on: bool) -> None:
        self._application.let_mouse_place(self.session.template_markups if on else None)

    def _mouse_mode_changed(self) -> None:
        """Slicer's views end placing by themselves, as on a click with the right button."""
        if self.placing.active and not self._application.mouse_places:
            self.placing.ended()
            self.refresh_soon()

    def _volume_nodes(self) -> list[object]:
        nodes = (self.session.template_volume, *(scan.volume_node for scan in self.session.follow_ups))
        return [node for node in nodes if node is not None]

    def _moved(self) -> None:
        """A view shows another slice: say where, once for all events of one turn."""
        if not self._moving:
            self._moving = True
            asyncio.get_running_loop().call_soon(self._show_offsets)

    def _show_offsets(self) -> None:
        self._moving = False
        with self.state:
            self.state.offsets = self.views.positions()

    def _fit(self, view: StreamedView, known: bool) -> None:
        with self.session.views.linking.paused():
            offset_mm = view.slice.node.GetSliceOffset()
            view.slice.fit()
            if known:
                view.slice.scroll_to(offset_mm)
        self.session.views.look_at_current()

    # ---- what changed in the session

    def _session_changed(self, change: Change) -> None:
        if change is Change.SELECTION:
            self.session.clear_message()
        self._changes.add(change)
        self.refresh_soon()

    def refresh_soon(self) -> None:
        """Show what has changed, once for all changes of one turn."""
        if not self._refreshing:
            self._refreshing = True
            asyncio.get_running_loop().call_soon(self._refresh)

    def _refresh(self) -> None:
        self._refreshing = False
        changes, self._changes = self._changes, set()
        with self.state:
            if Change.SCANS in changes:
                self.arrange()
                self._show_titles()
            if changes & {Change.SCANS, Change.SELECTION}:
                self.views.fit_new_volumes()
            if changes & {Change.SCANS, Change.REVIEW, Change.SELECTION}:
                self.state.table = view_model.table(self.session)
            if Change.SELECTION in changes and self.session.current is not None and self.state.only:
                self.state.only = self.session.current[0]
            self.state.current = view_model.current(self.session, self.review)
            self.state.heat_map = self.session.heat_map_shown
            self.overlay.update()
            self.state.registered = self.overlay.on
            self.state.status = view_model.status(self.session)
            self.state.message = without_paths(self.session.message)
            self.state.sources = sources(self._protocols)
            names = {protocol: name for name, protocol in self._protocols.items()}
            self.state.protocol = names[self.session.protocol]
            self.state.placing = self.placing.active
            self.state.can_place = self.session.template_markups is not None

    def _show_titles(self) -> None:
        self.state.titles = view_model.titles(self.session)
        self.state.welcome = view_model.welcome(self.session)
