"""The list of the scans of a study, with how many points were found on each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import qt
from slicer.i18n import tr as _

from SAMLandmarkLib.study.scan_summary import ScanSummary


class BatchTable:
    """Fills a table widget; `onOpened(scan)` is called for a double click, `onSelected()` where another one is chosen."""

    def __init__(
        self, table: Any, onOpened: Callable[[ScanSummary], None], onSelected: Callable[[], None]
    ) -> None:
        self._table, self._onOpened = table, onOpened
        self._shown: list[ScanSummary] = []
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels([_("Scan"), _("Found"), _("Doubtful"), _("Not found")])
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        for column in (1, 2, 3):
            table.horizontalHeader().setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        table.itemSelectionChanged.connect(onSelected)
        table.cellDoubleClicked.connect(self._doubleClicked)

    @property
    def selected(self) -> ScanSummary | None:
        """The scan that is chosen, None where none is."""
        row = self._table.currentRow()
        chosen = self._table.selectedItems() and 0 <= row < len(self._shown)
        return self._shown[row] if chosen else None

    def fill(self, scans: Iterable[ScanSummary]) -> None:
        """Show these scans; only rows that say something else than before are written."""
        before, self._shown = self._shown, list(scans)
        if len(before) != len(self._shown):
            self._table.setRowCount(len(self._shown))
        for row, scan in enumerate(self._shown):
            if row >= len(before) or before[row] != scan:
                self._write(row, scan)

    def _write(self, row: int, scan: ScanSummary) -> None:
        name = _("{patient}: {scan}").format(patient=scan.patient, scan=scan.name)
        texts = (
            [name, str(scan.found), str(scan.doubtful), str(scan.missing)]
            if scan.done
            else [name, _("failed"), "", ""]
        )
        for column, text in enumerate(texts):
            cell = qt.QTableWidgetItem(text)
            cell.setToolTip(scan.reason or name)
            if column:
                cell.setTextAlignment(qt.Qt.AlignCenter)
            self._table.setItem(row, column, cell)

    def _doubleClicked(self, row: int, _column: int) -> None:
        if 0 <= row < len(self._shown):
            self._onOpened(self._shown[row])
