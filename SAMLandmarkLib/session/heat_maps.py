"""The similarity overlay of one landmark in one follow-up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..review import Point
from ..scene.heat_map import hide_heat_map, write_heat_map
from ..scene.mrml import Scene
from ..worker.client import WorkerClient
from ..worker.messages import HeatMapReply, WorkerFailure
from .scans import SILENT_KINDS, SessionScan


class HeatMaps:
    """Asks the worker for one heat map at a time and shows it.

    `on_change()` is called when one begins or ends, `on_failed(text)` when it can't be computed.
    """

    def __init__(
        self,
        scene: Scene,
        worker: WorkerClient,
        on_change: Callable[[], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self.worker = worker
        self.shown = False
        self._scene = scene
        self._on_change = on_change
        self._on_failed = on_failed
        self._awaited: object | None = None

    @property
    def running(self) -> bool:
        """Whether a heat map is being computed."""
        return self._awaited is not None

    def show(self, template: SessionScan, point_lps: Point, target: SessionScan) -> None:
        """Show how similar the places of `target` are to `point_lps` (LPS mm) of the template, when that is known."""
        self.shown = True
        self._awaited = awaited = object()

        def done(reply: HeatMapReply) -> None:
            if self._awaited is awaited:
                self._awaited = None
                if target.node.GetScene() is self._scene:
                    own_from_upright = np.linalg.inv(target.upright_from_own)
                    write_heat_map(target.node, reply.array, own_from_upright @ reply.ijk_to_lps)
                self._on_change()

        def failed(failure: WorkerFailure) -> None:
            if self._awaited is awaited:
                self.hide()
                if failure.kind not in SILENT_KINDS:
                    self._on_failed(failure.message)

        self.worker.heat_map(template.key, template.to_worker(point_lps)[0], target.key, done, failed)
        self._on_change()

    def hide(self) -> None:
        """Take the overlay away, and don't wait for one any more."""
        self.shown, self._awaited = False, None
        hide_heat_map(self._scene)
        self._on_change()
