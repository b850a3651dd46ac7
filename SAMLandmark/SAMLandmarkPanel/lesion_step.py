"""Lesions over time: those of the template are followed through the follow-ups, measured, and judged by RECIST 1.1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from slicer.util import settingsValue

from SAMLandmarkLib.reporting.lesion_words import role_text, size_text
from SAMLandmarkLib.session import TransferSession
from SAMLandmarkLib.session.lesion_changes import Said
from SAMLandmarkLib.session.lesion_table import LesionTable, details, visit_titles
from SAMLandmarkLib.utils.errors import SAMLandmarkError

from .dicom_database import filesOfVolume
from .lesion_table import LesionTableView
from .widget_help import WidgetHelp, letPathsBeLong, showText

# in Slicer's settings and not in the scene, which may travel: a folder names a computer and a person
_FOLDER = "SAMLandmark/LesionFolder"
_SAID = (None, Said.DISAPPEARED, Said.TOO_SMALL, Said.OUT_OF_VIEW, Said.UNCERTAIN, Said.PROGRESSED)


class LesionStep:
    """Chooses lesions, tracks them, shows the table, takes the reader's word and writes the files.

    `isReady()` tells whether all packages are there; `ensureReady()` installs what is missing, if the user agrees, before.
    """

    def __init__(
        self,
        ui: Any,
        hints: WidgetHelp,
        session: TransferSession,
        isReady: Callable[[], bool],
        ensureReady: Callable[[], bool],
    ) -> None:
        self._ui, self._hints, self._session = ui, hints, session
        self._isReady, self._ensureReady = isReady, ensureReady
        self._listed: list[tuple[str, str, bool]] = []
        self._shown: Any = None
        self._table = LesionTableView(ui.lesionTable, self._chosen)
        showText(ui.lesionResponseLabel, "")
        for text in self._saidTexts():
            ui.lesionSaidSelector.addItem(text)
        letPathsBeLong(ui.lesionFolderButton)
        ui.lesionFolderButton.directory = settingsValue(_FOLDER, str(Path.home() / "SAMLandmark" / "lesions"))
        ui.lesionFolderButton.directoryChanged.connect(self._keepFolder)
        ui.lesionList.itemChanged.connect(self._ticked)
        ui.drawLongButton.clicked.connect(self._drawLong)
        ui.drawShortButton.clicked.connect(self._drawShort)
        ui.trackButton.clicked.connect(self.trackOrCancel)
        ui.lesionSaidSelector.currentIndexChanged.connect(self._saidChanged)
        ui.lesionExportButton.clicked.connect(self.export)
        ui.lesionOpenButton.clicked.connect(self._openFolder)
        self.update()

    def trackOrCancel(self, *_unused: Any) -> None:
        """What the button does: follow the lesions, or cancel what runs."""
        lesions = self._session.lesions
        if lesions.running:
            lesions.cancel()
        elif self._ensureReady():
            self._do(lesions.track)

    def export(self, *_unused: Any) -> None:
        """Write the files into the chosen folder."""
        folder = self._ui.lesionFolderButton.directory
        self._do(lambda: self._session.lesions.export(folder, filesOfVolume))

    def update(self) -> None:
        """Show the lesions, how far the work is and what is known, and enable what can be done now."""
        ui, lesions = self._ui, self._session.lesions
        self._fillList()
        noTemplate = "" if self._session.template_volume else _("Choose the template first.")
        for button in (ui.drawLongButton, ui.drawShortButton, ui.lesionPointsSelector):
            self._hints.enable(button, noTemplate)
        free = lesions.running or not self._isReady()
        self._hints.enable(ui.trackButton, "" if free else lesions.blocking_reason)
        ui.trackButton.setText(_("Cancel") if lesions.running else _("Track lesions"))
        ui.lesionProgress.setVisible(lesions.running)
        ui.lesionProgress.setValue(round(100 * lesions.fraction))
        showText(ui.lesionLabel, self._text())
        self._showHistory()

    # ---- what is shown

    def _fillList(self) -> None:
        lesions = self._session.lesions
        listed = [
            (mark.lesion.name, _listText(mark), mark.lesion.name not in lesions.left_out)
            for mark in lesions.marks
        ]
        if listed == self._listed:
            return
        self._listed = listed
        self._ui.lesionList.blockSignals(True)
        self._ui.lesionList.clear()
        for name, text, ticked in listed:
            item = qt.QListWidgetItem(text)
            item.setData(qt.Qt.UserRole, name)
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
            item.setCheckState(qt.Qt.Checked if ticked else qt.Qt.Unchecked)
            self._ui.lesionList.addItem(item)
        self._ui.lesionList.blockSignals(False)

    def _text(self) -> str:
        lesions = self._session.lesions
        outdated = _("The scans or the lesions of the template are not those that were tracked; track again.")
        parts = [lesions.text, lesions.problem, outdated if lesions.outdated else "", *lesions.remarks]
        return "\n".join(str(part) for part in parts if part)

    def _showHistory(self) -> None:
        ui, history = self._ui, self._session.lesions.history
        names = () if history is None else tuple(track.lesion.name for track in history)
        if history is not self._shown:
            self._shown, table = history, None if history is None else LesionTable.of(history)
            self._table.fill(table, names)
            showText(ui.lesionResponseLabel, "" if table is None else "\n".join(table.responses))
        for widget in (ui.lesionTable, ui.lesionSaidLabel, ui.lesionSaidSelector):
            widget.setVisible(history is not None)
        self._showChosen()
        busy = _("Wait for the end, or cancel.") if self._session.lesions.running else ""
        missing = "" if history is not None else _("Track the lesions first.")
        self._hints.enable(ui.lesionExportButton, busy or missing)
        self._hints.enable(ui.lesionOpenButton, "" if self._folder().is_dir() else _("Export first."))

    def _showChosen(self) -> None:
        """Show all about the chosen cell, and the reader's word on it."""
        ui, lesions, chosen = self._ui, self._session.lesions, self._table.chosen
        if lesions.history is None or chosen is None:
            showText(ui.lesionDetailLabel, "")
        else:
            title = f"{chosen[0]}, {visit_titles(lesions.history)[chosen[1]]}"
            showText(ui.lesionDetailLabel, "\n".join([title, details(lesions.history, *chosen)]))
        follow_up = chosen is not None and chosen[1] > 0
        self._hints.enable(
            ui.lesionSaidSelector, "" if follow_up else _("Choose the cell of a lesion on a follow-up.")
        )
        ui.lesionSaidSelector.blockSignals(True)
        ui.lesionSaidSelector.setCurrentIndex(_SAID.index(lesions.said(*chosen)) if follow_up else 0)
        ui.lesionSaidSelector.blockSignals(False)

    def _saidTexts(self) -> tuple[str, ...]:
        return (
            _("as it is drawn"),
            _("disappeared"),
            _("too small to measure"),
            _("not in the field of view"),
            _("uncertain"),
            _("unequivocal progression (no target)"),
        )

    # ---- what the user does

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except SAMLandmarkError as error:
            showText(self._ui.lesionLabel, str(error))

    def _ticked(self, item: Any) -> None:
        checked = item.checkState() == qt.Qt.Checked
        self._session.lesions.choose(item.data(qt.Qt.UserRole), checked)

    def _drawLong(self, *_unused: Any) -> None:
        self._session.lesions.draw()

    def _drawShort(self, *_unused: Any) -> None:
        self._session.lesions.draw(short=True)

    def _chosen(self, name: str, visit: int) -> None:
        self._session.lesions.look_at(name, visit)
        self._showChosen()

    def _saidChanged(self, index: int) -> None:
        if self._table.chosen is not None:
            self._session.lesions.say(*self._table.chosen, _SAID[index])

    def _folder(self) -> Path:
        return Path(self._ui.lesionFolderButton.directory)

    def _keepFolder(self, folder: str) -> None:
        slicer.app.userSettings().setValue(_FOLDER, folder)
        self._showHistory()

    def _openFolder(self, *_unused: Any) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._folder())))


def _listText(mark: Any) -> str:
    return f"{mark.lesion.name}   {size_text(mark.finding)}   {role_text(mark.lesion)}"
