"""The table of all results: a row for each landmark, a column for each follow-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import qt
from slicer.i18n import tr as _

from SAMLandmarkLib.review.words import TEXT_COLOR, cell_color, cell_text, detail_text, limit_text
from SAMLandmarkLib.session import TransferSession

_LABEL_WIDTH, _NARROWEST_CELL, _CELL_MARGIN = 150, 90, 8
_MARK = "▶ "


@dataclass(frozen=True)
class _Shown:
    """What a cell shows; `item` never changes, so the same one means that the cell is up to date."""

    item: Any = None
    outdated: bool = False

    def isSame(self, other: _Shown) -> bool:
        return self.item is other.item and self.outdated == other.outdated


class ReviewTable:
    """Fills a table widget from the session; `onChosen(scanKey, label)` is called for a clicked cell.

    Only cells whose results are others than before are written, and what explains a cell is made when the mouse comes.
    """

    def __init__(self, table: Any, session: TransferSession, onChosen: Callable[[str, str], None]) -> None:
        self._table, self._session, self._onChosen = table, session, onChosen
        self._keys: tuple[str, ...] = ()
        self._labels: tuple[str, ...] = ()
        self._rows: dict[str, int] = {}
        self._shown: dict[tuple[int, int], _Shown] = {}
        self._marked: tuple[int, int] | None = None
        self._metrics = _boldMetrics(table)
        self._prepare()
        table.currentCellChanged.connect(self._cellChanged)
        table.cellClicked.connect(self._cellChanged)
        table.cellEntered.connect(self._explainCell)

    def _prepare(self) -> None:
        table = self._table
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        # a selected cell would hide its color: the current one is marked by an arrow and bold type
        table.setSelectionMode(qt.QAbstractItemView.NoSelection)
        table.verticalHeader().setDefaultSectionSize(2 * table.fontMetrics().lineSpacing() + _CELL_MARGIN)
        table.verticalHeader().setMaximumWidth(_LABEL_WIDTH)
        table.verticalHeader().setTextElideMode(qt.Qt.ElideMiddle)
        table.horizontalHeader().setTextElideMode(qt.Qt.ElideMiddle)
        table.horizontalHeader().setStretchLastSection(True)
        table.setHorizontalScrollMode(qt.QAbstractItemView.ScrollPerPixel)
        table.setMouseTracking(True)

    def fill(self) -> int:
        """Show the session's results; returns the number of cells that were written."""
        scans = self._session.follow_ups
        self._table.blockSignals(True)
        if self._keys != tuple(scan.key for scan in scans) or self._labels != self._session.labels:
            self._buildCells(scans)
        written = 0
        for column, scan in enumerate(scans):
            self._showTitle(column, scan)
            written += self._fillColumn(column, scan.key)
        self._table.blockSignals(False)
        self.showCurrent()
        return written

    def _buildCells(self, scans: Any) -> None:
        table = self._table
        self._keys, self._labels = tuple(scan.key for scan in scans), self._session.labels
        self._rows = {label: row for row, label in enumerate(self._labels)}
        self._shown, self._marked = {}, None
        table.clear()
        table.setRowCount(len(self._labels))
        table.setColumnCount(len(scans))
        table.setVerticalHeaderLabels(list(self._labels))
        for row, label in enumerate(self._labels):
            table.verticalHeaderItem(row).setToolTip(label)
        for column in range(len(scans)):
            table.setHorizontalHeaderItem(column, qt.QTableWidgetItem(""))
            table.setColumnWidth(column, _NARROWEST_CELL)
            for row in range(len(self._labels)):
                table.setItem(row, column, _emptyCell())

    def _fillColumn(self, column: int, key: str) -> int:
        items, outdated = self._session.state.items(key), self._session.outdated_labels(key)
        written, widest = 0, self._table.columnWidth(column)
        for row, label in enumerate(self._labels):
            now = _Shown(items.get(label), label in outdated)
            if not now.isSame(self._shown.get((row, column), _Shown())):
                self._shown[row, column] = now
                widest = max(widest, self._writeCell(row, column, now))
                written += 1
        if widest > self._table.columnWidth(column):
            self._table.setColumnWidth(column, widest)
        return written

    def _writeCell(self, row: int, column: int, now: _Shown) -> int:
        """Write a cell; returns the width that it needs, also while it is the current one."""
        cell = self._table.item(row, column)
        text = "" if now.item is None else cell_text(now.item, now.outdated)
        cell.setText(_MARK + text if self._marked == (row, column) else text)
        cell.setToolTip("")
        if now.item is None:
            cell.setData(qt.Qt.BackgroundRole, None)
        else:
            cell.setBackground(qt.QBrush(qt.QColor(cell_color(now.item, now.outdated))))
        return _width(text, self._metrics)

    def showCurrent(self) -> None:
        """Mark the session's current landmark in the table."""
        current = self._session.current
        if current is None or current[0] not in self._keys or current[1] not in self._rows:
            return
        row, column = self._rows[current[1]], self._keys.index(current[0])
        if (row, column) == self._marked:
            return
        self._table.blockSignals(True)
        self._table.setCurrentCell(row, column)
        self._mark(row, column)
        self._table.blockSignals(False)
        self._table.scrollToItem(self._table.item(row, column))

    def _mark(self, row: int, column: int) -> None:
        if self._marked is not None:
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

    def _explainCell(self, row: int, column: int) -> None:
        """Tell everything about the result under the mouse."""
        cell, shown = self._table.item(row, column), self._shown.get((row, column))
        if cell is None or shown is None or shown.item is None:
            return
        key, label = self._keys[column], self._labels[row]
        relative = self._session.state.relative_displacement_mm(key, label)
        title = self._session.follow_ups[column].title
        limit = self._session.error_limit_mm(key)
        cell.setToolTip(str(detail_text(shown.item, title, shown.outdated, relative, limit)))

    def _showTitle(self, column: int, scan: Any) -> None:
        explained = _(
            "{name}\nPercentage: how sure it is that the point is within {limit} mm.\n"
            "Cycle: by how much the point misses itself after matching to the scan and back to the template, in mm.\n"
            "Moved: distance between the point here and on the template, in the scans' own coordinates."
        )
        header, limit = self._table.horizontalHeaderItem(column), self._session.error_limit_mm(scan.key)
        header.setText(_columnTitle(scan))
        header.setToolTip(scan.message or explained.format(name=scan.name, limit=limit_text(limit)))

    def _cellChanged(self, row: int, column: int, *_unused: Any) -> None:
        if not 0 <= row < len(self._labels) or not 0 <= column < len(self._keys):
            return
        key, label = self._keys[column], self._labels[row]
        if (key, label) != self._session.current:
            self._onChosen(key, label)


def _emptyCell() -> Any:
    cell = qt.QTableWidgetItem("")
    cell.setForeground(qt.QBrush(qt.QColor(TEXT_COLOR)))
    cell.setTextAlignment(qt.Qt.AlignCenter)
    return cell


def _boldMetrics(table: Any) -> Any:
    # cells are as wide as if each were the current one, so that nothing moves when the mark does
    font = qt.QFont(table.font)
    font.setBold(True)
    return qt.QFontMetrics(font)


def _width(text: str, metrics: Any) -> int:
    return max(metrics.boundingRect(line).width() for line in (_MARK + text).split("\n")) + 2 * _CELL_MARGIN


def _columnTitle(scan: Any) -> str:
    return _("{scan} (failed)").format(scan=scan.title) if scan.message else scan.title
