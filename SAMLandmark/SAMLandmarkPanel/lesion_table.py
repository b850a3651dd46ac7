"""The table of lesions over time: a row for each lesion, a column for each date, then sum and proposed response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

from SAMLandmarkLib.review.words import TEXT_COLOR
from SAMLandmarkLib.session.lesion_table import COLORS, LesionTable

_NAME_WIDTH = 100


class LesionTableView:
    """Fills a table widget; `onChosen(name, visit)` is called where the cell of a lesion is chosen."""

    def __init__(self, table: Any, onChosen: Callable[[str, int], None]) -> None:
        self._table, self._onChosen = table, onChosen
        self._shown: LesionTable | None = None
        self._lesions: tuple[str, ...] = ()
        self.chosen: tuple[str, int] | None = None
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        # a selected cell would hide its color: the chosen one is bold
        table.setSelectionMode(qt.QAbstractItemView.NoSelection)
        table.verticalHeader().setMaximumWidth(_NAME_WIDTH)
        table.verticalHeader().setTextElideMode(qt.Qt.ElideMiddle)
        for header in (table.horizontalHeader(), table.verticalHeader()):
            header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setStretchLastSection(True)
        table.setHorizontalScrollMode(qt.QAbstractItemView.ScrollPerPixel)
        table.cellClicked.connect(self._choose)
        table.currentCellChanged.connect(self._choose)

    def fill(self, shown: LesionTable | None, lesions: tuple[str, ...]) -> None:
        """Show a table whose first rows are these lesions; None where nothing was tracked."""
        self._shown, self._lesions = shown, lesions
        dates = 0 if shown is None else len(shown.titles)
        if self.chosen is not None and (self.chosen[0] not in lesions or self.chosen[1] >= dates):
            self.chosen = None
        self._table.blockSignals(True)
        self._write()
        self._table.blockSignals(False)

    def _write(self) -> None:
        table, rows = self._table, () if self._shown is None else self._shown.rows
        titles = () if self._shown is None else self._shown.titles
        table.clear()
        table.setRowCount(len(rows))
        table.setColumnCount(len(titles))
        table.setHorizontalHeaderLabels(list(titles))
        table.setVerticalHeaderLabels([name for name, _what, _cells in rows])
        for row, (name, what, cells) in enumerate(rows):
            table.verticalHeaderItem(row).setToolTip(f"{name}\n{what}")
            for column, cell in enumerate(cells):
                table.setItem(row, column, _item(cell))
        self._mark()

    def _mark(self) -> None:
        """Show the chosen cell in bold."""
        chosen = self._place()
        for row in range(len(self._lesions)):
            for column in range(self._table.columnCount):
                item = self._table.item(row, column)
                font = item.font()
                font.setBold((row, column) == chosen)
                item.setFont(font)

    def _place(self) -> tuple[int, int] | None:
        if self.chosen is None:
            return None
        return self._lesions.index(self.chosen[0]), self.chosen[1]

    def _choose(self, row: int, column: int, *_unused: Any) -> None:
        if 0 <= row < len(self._lesions) and 0 <= column < self._table.columnCount:
            self.chosen = (self._lesions[row], column)
            self._mark()
            self._onChosen(*self.chosen)


def _item(cell: Any) -> Any:
    item = qt.QTableWidgetItem(str(cell.text))
    item.setToolTip(str(cell.tip))
    item.setTextAlignment(qt.Qt.AlignCenter)
    if cell.kind:
        item.setBackground(qt.QBrush(qt.QColor(COLORS[cell.kind])))
        item.setForeground(qt.QBrush(qt.QColor(TEXT_COLOR)))
    return item
