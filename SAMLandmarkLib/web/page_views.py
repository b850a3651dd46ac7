"""The views of the page: template on the left, follow-ups beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trame_client.widgets.core import VirtualNode
from trame_server import Server

from ..scene.application import SceneApplication
from ..scene.layout import ScanViews
from ..scene.views import slice_in_words
from .grid import build_grid
from .streamed_view import StreamedView

# A view that is so much larger or smaller than before shows its slice as large as there is room now.
_MUCH = 0.15


class PageViews:
    """The `MainWindow` of a session whose views are on the page.

    `on_fit(view, known)` is called when a view has got its size, `known` where it showed its volume before in another
    size; `on_moved()` when a view shows another slice. With `has_template` the first scan is the template.
    """

    def __init__(
        self,
        server: Server,
        application: SceneApplication,
        on_fit: Callable[[StreamedView, bool], None],
        on_moved: Callable[[], None],
    ) -> None:
        self.place = VirtualNode(server)
        self.scans: tuple[ScanViews, ...] = ()
        self.has_template = True
        self.views: dict[str, StreamedView] = {}
        self._server, self._application, self._on_fit = server, application, on_fit
        self._on_moved = on_moved
        self._orientations: tuple[str, ...] = ()
        self._only: str | None = None

    def arrange(self, scans: Sequence[ScanViews], orientations: Sequence[str]) -> None:
        """See `MainWindow`."""
        self.scans, self._orientations = tuple(scans), tuple(orientations)
        self._build()

    def leave(self) -> None:
        """See `MainWindow`; the page has nothing else to show."""

    def show_only(self, follow_up_key: str | None) -> None:
        """Show one follow-up beside the template; all of them for None."""
        if follow_up_key != self._only:
            self._only = follow_up_key
            self._build()

    def shown(self) -> list[tuple[ScanViews, list[str]]]:
        """The scans on the page, each with the names of its views."""
        templates = self.scans[: int(self.has_template)]
        kept = [scan for scan in self.scans if scan in templates or self._only in (None, scan.key)]
        return [(scan, [scan.view_name(name) for name in self._orientations]) for scan in kept]

    def positions(self) -> dict[str, str]:
        """Where the slices on the page are, in words, by the names of their views."""
        return {name: slice_in_words(view.slice.node) for name, view in self.views.items() if view.visible}

    def fit_all(self) -> None:
        """Show whole slices again in all views."""
        for view in self.views.values():
            if view.visible:
                self._on_fit(view, True)

    def fit_new_volumes(self) -> None:
        """Show whole slices in the views that have another volume than before; those without a size wait for it."""
        for view in self.views.values():
            if view.visible and view.fitted_volume_id is not None:
                self._fit_if_new(view)

    def draw_markups_anew(self) -> None:
        """After an undo or redo: Slicer's views then go on to show points that are no longer there."""
        for view in self.views.values():
            view.slice.forget_markups()
        scene = self._application.scene
        # at its end the views take up what the scene holds
        scene.StartState(scene.BatchProcessState)
        scene.EndState(scene.BatchProcessState)
        for view in self.views.values():
            view.render()

    def register(self) -> None:
        """The server runs now: it gets to know the views that were made before, and what there is instead of some."""
        for view in self.views.values():
            self._server.controller.rc_area_register(view.adapter)
        self._build()

    def _build(self) -> None:
        names = [name for _, views in self.shown() for name in views]
        for name in names:
            if name not in self.views:
                self.views[name] = self._new_view(name)
        for name, view in self.views.items():
            view.visible = name in names
            view.render()
        with self.place.clear():
            build_grid(self.shown(), self._orientations, self.has_template)
        self._on_moved()

    def _new_view(self, name: str) -> StreamedView:
        view = StreamedView(self._application, name, self._fit_if_new, self._on_moved)
        if self._server.running:
            self._server.controller.rc_area_register(view.adapter)
        return view

    def _fit_if_new(self, view: StreamedView) -> None:
        volume_id, size = view.slice.volume_id, view.slice.window.GetSize()
        if volume_id is None:
            return
        if volume_id != view.fitted_volume_id or _differs_much(size, view.fitted_size):
            known = volume_id == view.fitted_volume_id
            view.fitted_volume_id, view.fitted_size = volume_id, size
            self._on_fit(view, known)


def _differs_much(size: tuple[int, int], before: tuple[int, int]) -> bool:
    return any(abs(now - then) > _MUCH * then for now, then in zip(size, before, strict=True))
