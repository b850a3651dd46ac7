"""The table of all results: a row for each landmark, a column for each follow-up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from SAMLandmarkLib.review.words import TEXT_COLOR, cell_color, cell_text, detail_text
from SAMLandmarkLib.session import TransferSession

_LABEL_WIDTH, _NARROWEST_CELL, _CELL_MARGIN = 150, 90, 8
_MARK = "▶ "


class ReviewTable:
    """Fills a table widget from the session; `onChosen(scanKey, label)` is called for a clicked cell."""

    def __init__(self, table: Any, session: TransferSession, onChosen: Callable[[str, str], None]) -> None:
        self._table, self._session, self._onChosen = table, session, onChosen
        self._keys: tuple[str, ...] = ()
        self._marked: tuple[int, int] | None = None
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        # a selected cell would hide its color: the current one is marked by an arrow and bold type
        table.setSelectionMode(qt.QAbstractItemView.NoSelection)
        table.verticalHeader().setDefaultSectionSize(2 * table.fontMetrics().lineSpacing() + _CELL_MARGIN)
        table.verticalHeader().setMaximumWidth(_LABEL_WIDTH)
        table.verticalHeader().setTextElideMode(qt.Qt.ElideMiddle)
        table.horizontalHeader().setTextElideMode(qt.Qt.ElideMiddle)
        table.horizontalHeader().setStretchLastSection(True)
        table.setHorizontalScrollMode(qt.QAbstractItemView.ScrollPerPixel)
        table.currentCellChanged.connect(self._cellChanged)
        table.cellClicked.connect(self._cellChanged)

    def fill(self) -> None:
        """Show the session's results; cells that did not change keep their selection."""
        table, labels = self._table, self._session.labels
        scans = self._session.follow_ups
        table.blockSignals(True)
        if self._keys != tuple(scan.key for scan in scans) or table.rowCount != len(labels):
            self._keys = tuple(scan.key for scan in scans)
            table.clear()
            self._marked = None
            table.setRowCount(len(labels))
            table.setColumnCount(len(scans))
        table.setHorizontalHeaderLabels([_columnTitle(scan) for scan in scans])
        table.setVerticalHeaderLabels(list(labels))
        for row, label in enumerate(labels):
            table.verticalHeaderItem(row).setToolTip(label)
        for column, scan in enumerate(scans):
            self._explainColumn(column, scan)
            for row, label in enumerate(labels):
                self._fillCell(row, column, scan, label)
        table.blockSignals(False)
        self.showCurrent()
        self._fitColumns()

    def showCurrent(self) -> None:
        """Mark the session's current landmark in the table."""
        current = self._session.current
        if current is None or current[0] not in self._keys or current[1] not in self._session.labels:
            return
        row, column = self._session.labels.index(current[1]), self._keys.index(current[0])
        self._table.blockSignals(True)
        self._table.setCurrentCell(row, column)
        self._mark(row, column)
        self._table.blockSignals(False)
        self._table.scrollToItem(self._table.item(row, column))

    def _mark(self, row: int, column: int) -> None:
        if self._marked is not None and self._marked != (row, column):
            self._setMark(*self._marked, False)
        self._setMark(row, column, True)
        self._marked = (row, column)

    def _setMark(self, row: int, column: int, marked: bool) -> None:
        cell = self._table.item(row, column)
        if cell is None:
            return
        font = cell.font()
        font.setBold(marked)
        cell.setFont(font)
        text = cell.text().removeprefix(_MARK)
        cell.setText(_MARK + text if marked else text)

    def _fillCell(self, row: int, column: int, scan: Any, label: str) -> None:
        item = self._session.item(scan.key, label)
        cell = self._table.item(row, column) or qt.QTableWidgetItem()
        outdated = item is not None and self._session.is_outdated(scan.key, label)
        cell.setText("" if item is None else cell_text(item, outdated))
        relative = self._session.state.relative_displacement_mm(scan.key, label)
        cell.setToolTip("" if item is None else detail_text(item, scan.title, outdated, relative))
        if item is None:
            cell.setData(qt.Qt.BackgroundRole, None)
        else:
            cell.setBackground(qt.QBrush(qt.QColor(cell_color(item, outdated))))
        cell.setForeground(qt.QBrush(qt.QColor(TEXT_COLOR)))
        cell.setTextAlignment(qt.Qt.AlignCenter)
        if self._table.item(row, column) is None:
            self._table.setItem(row, column, cell)

    def _explainColumn(self, column: int, scan: Any) -> None:
        explained = _(
            "{name}\nPercentage: how sure it is that the point is within 10 mm.\n"
            "Cycle: by how much the point misses itself when it is taken there and back, in mm.\n"
            "Moved: distance between the point here and on the template, in the scans' own coordinates."
        )
        header = self._table.horizontalHeaderItem(column)
        header.setToolTip(scan.message or explained.format(name=scan.name))

    def _fitColumns(self) -> None:
        # as wide as if every cell were the current one, so that nothing moves when the mark does
        font = self._table.font
        font.setBold(True)
        metrics = qt.QFontMetrics(font)
        for column in range(self._table.columnCount):
            widths = [_width(self._table.item(row, column), metrics) for row in range(self._table.rowCount)]
            self._table.setColumnWidth(column, max([_NARROWEST_CELL, *widths]))

    def _cellChanged(self, row: int, column: int, *_unused: Any) -> None:
        if row < 0 or not 0 <= column < len(self._keys):
            return
        key, label = self._keys[column], self._session.labels[row]
        if (key, label) != self._session.current:
            self._onChosen(key, label)


def _width(cell: Any, metrics: Any) -> int:
    lines = (_MARK + cell.text().removeprefix(_MARK)).split("\n")
    return max(metrics.boundingRect(line).width() for line in lines) + 2 * _CELL_MARGIN


def _columnTitle(scan: Any) -> str:
    return _("{scan} (failed)").format(scan=scan.title) if scan.message else scan.title
