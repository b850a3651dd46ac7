"""A slice view that a browser shows and whose mouse it sends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from trame_rca.rca import VtkRemoteControlledArea
from trame_rca.schedulers import RcaImageRenderScheduler
from trame_rca.view_adapter import RcaViewAdapter

from ..scene.application import SceneApplication
from ..scene.slice_view import SliceView

_PICTURES_PER_SECOND = 30.0
# A moving picture may be coarse; one that stands still is what a radiologist looks at.
_MOVING_QUALITY, _STILL_QUALITY = 70, 95


class _Area(VtkRemoteControlledArea):
    """Lets trame draw a view, resize it and pass mouse events on."""

    def __init__(self, view: SliceView, on_resized: Callable[[], None]) -> None:
        super().__init__(view.window)
        self._view, self._on_resized = view, on_resized

    @property
    def img_cols_rows(self) -> tuple[np.ndarray, int, int]:
        picture = self._view.picture()
        return picture, picture.shape[1], picture.shape[0]

    def process_resize_event(self, width: int, height: int) -> None:
        self._view.resize(width, height)
        self._on_resized()


class StreamedView:
    """A `SliceView` with the stream of its pictures; `name` is the view's layout name and the stream's.

    `on_resized(view)` is called when the page has given the view another size, `on_moved()` when it shows another
    slice.
    """

    def __init__(
        self,
        application: SceneApplication,
        name: str,
        on_resized: Callable[[StreamedView], None],
        on_moved: Callable[[], None],
    ) -> None:
        self.name = name
        self.visible = False
        self.fitted_volume_id: str | None = None
        self.fitted_size = (0, 0)
        self._on_moved = on_moved
        self._offset_mm: float | None = None
        self._scheduler: RcaImageRenderScheduler | None = None
        self.slice = SliceView(application, name, self.render)
        area = _Area(self.slice, lambda: on_resized(self))
        self._scheduler = RcaImageRenderScheduler(
            area,
            target_fps=_PICTURES_PER_SECOND,
            interactive_quality=_MOVING_QUALITY,
            still_quality=_STILL_QUALITY,
            rca_encoder="turbo-jpeg",
        )
        self.adapter = RcaViewAdapter(
            area, name, scheduler=self._scheduler, do_schedule_render_on_interaction=False
        )

    def render(self) -> None:
        """Send a new picture soon, if the page shows the view."""
        if self._scheduler is None or not self.visible:
            return
        self._scheduler.schedule_render()
        offset_mm = self.slice.node.GetSliceOffset()
        if offset_mm != self._offset_mm:
            self._offset_mm = offset_mm
            self._on_moved()

    async def close(self) -> None:
        """Send no more pictures."""
        await self.adapter.close()
