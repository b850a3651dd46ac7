"""Somebody in front of the screen: clicks, drags, presses keys, and looks at what the panel shows."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import slicer
from PySide6 import QtCore, QtTest
from slicer_standin.bench import Bench

TRANSFER_SECONDS = 240


class User:
    """Acts through the widgets of the open module only."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    @property
    def widget(self) -> Any:
        """The module widget."""
        return slicer.modules.SAMLandmarkWidget

    @property
    def ui(self) -> Any:
        """The widgets of the .ui by name."""
        return self.widget.ui

    @property
    def session(self) -> Any:
        """The session behind the panel."""
        return self.widget.logic.session

    @property
    def parameters(self) -> Any:
        """The module's parameters in the scene."""
        return self.widget.logic.getParameterNode()

    @property
    def result_node(self) -> Any:
        """The markups of the first follow-up."""
        return self.session.follow_ups[0].markups_node

    def start_anew(self) -> None:
        """Close the scene."""
        self.bench.scene.Clear(0)
        self.bench.settle()

    def click(self, widget: Any) -> None:
        """Click a button or box of the panel, which must be enabled."""
        assert widget.enabled, f"{widget.objectName} is disabled: {widget.toolTip}"
        widget.click()
        self.bench.settle()

    def press(self, key: str) -> None:
        """Press a key."""
        self.bench.press(key)

    def choose(self, template: Any = None, points: Any = None) -> None:
        """Choose template and points in their selectors."""
        if template is not None:
            self.ui.templateSelector.setCurrentNode(template)
        if points is not None:
            self.ui.pointsSelector.setCurrentNode(points)
        self.bench.settle()

    def tick(self, *names: str) -> None:
        """Tick follow-ups in the list."""
        for name in names:
            self.list_item(name).setCheckState(QtCore.Qt.Checked)
        # the views are fitted once more when they have got their last size
        self.bench.settle(150)

    def list_item(self, name: str) -> Any:
        """The entry of a volume in the list of follow-ups."""
        return next(item for item in self._list_items() if item.text().endswith(name))

    def follow_up_texts(self) -> list[str]:
        """What the list of follow-ups shows."""
        return [item.text() for item in self._list_items()]

    def _list_items(self) -> list[Any]:
        return [self.ui.followUpList.item(row) for row in range(self.ui.followUpList.count)]

    def transfer(self) -> None:
        """Press the button and wait for the end."""
        self.click(self.ui.transferButton)
        self.wait_for_end()

    @contextmanager
    def engine_held(self) -> Iterator[int]:
        """Let the engine's process stand still, so that whatever is begun now is not done yet; its number."""
        worker = self.widget.logic.worker
        self.bench.wait_until(lambda: worker.process_id is not None, TRANSFER_SECONDS, "the engine runs")
        process_id = worker.process_id
        os.kill(process_id, signal.SIGSTOP)
        try:
            yield process_id
        finally:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGCONT)

    def export(self) -> None:
        """Press the button and wait for the files."""
        self.click(self.ui.exportButton)
        self.bench.wait_until(lambda: not self.session.exports.running, TRANSFER_SECONDS, "it is exported")

    def wait_for_end(self) -> None:
        """Wait until nothing runs any more."""
        self.bench.wait_until(lambda: not self.session.busy, TRANSFER_SECONDS, "the engine is done")
        self.bench.settle(60)

    def click_cell(self, row: int, column: int = 0) -> None:
        """Click a result in the table."""
        table = self.ui.reviewTable
        table.scrollToItem(table.item(row, column))
        place = table.visualItemRect(table.item(row, column)).center()
        QtTest.QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, pos=place)
        self.bench.settle()

    def cell(self, row: int, column: int = 0) -> str:
        """What a cell of the table says."""
        item = self.ui.reviewTable.item(row, column)
        return item.text().removeprefix("▶ ") if item else ""

    def view_of(self, volume: Any) -> str:
        """Name of the first slice view that shows a volume."""
        manager = self.bench.layout_manager
        for name in manager.sliceViewNames():
            if manager.sliceWidget(name).mrmlSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID():
                return name
        raise AssertionError(f"No view shows {volume.GetName()}.")

    def go_to(self, view: str, ras: Any) -> None:
        """Scroll a view to the slice of a point, as with the wheel."""
        node = self.bench.layout_manager.sliceWidget(view).mrmlSliceNode()
        node.JumpSliceByOffsetting(*ras)
        self.bench.settle()


def positions(markups: Any) -> dict[str, np.ndarray]:
    """The defined points of a markups node by label, world RAS mm."""
    found = {}
    for index in range(markups.GetNumberOfControlPoints()):
        if markups.GetNthControlPointPositionStatus(index) == markups.PositionDefined:
            point = [0.0, 0.0, 0.0]
            markups.GetNthControlPointPositionWorld(index, point)
            found[markups.GetNthControlPointLabel(index)] = np.array(point)
    return found
