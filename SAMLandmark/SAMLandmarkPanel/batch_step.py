"""Batch: the points of the template on all scans of a folder or of the DICOM database, and their review."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.util import settingsValue

from SAMLandmarkLib.session import TransferSession
from SAMLandmarkLib.study.batch_description import BatchScans
from SAMLandmarkLib.utils.errors import SAMLandmarkError

from .batch_table import BatchTable
from .dicom_database import filesOfDatabase, openDatabase
from .widget_help import WidgetHelp, letPathsBeLong, showText

# in Slicer's settings and not in the scene, which may travel: a folder names a computer and a person
_SCANS, _RESULTS = "SAMLandmark/BatchScans", "SAMLandmark/BatchResults"
_DATABASE = 1


class BatchStep:
    """Runs a study in the background with the settings under Advanced, and opens its scans for review.

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
        self._table = BatchTable(ui.batchTable, self._open, self.update)
        ui.batchSourceSelector.addItem(_("All volumes of a folder"))
        ui.batchSourceSelector.addItem(_("All patients of Slicer's DICOM database"))
        for button in (ui.batchScansButton, ui.batchResultsButton):
            letPathsBeLong(button)
        ui.batchScansButton.directory = settingsValue(_SCANS, str(Path.home()))
        ui.batchResultsButton.directory = settingsValue(_RESULTS, str(Path.home() / "SAMLandmark" / "batch"))
        ui.batchSourceSelector.currentIndexChanged.connect(self.update)
        ui.batchScansButton.directoryChanged.connect(self._keepScansFolder)
        ui.batchResultsButton.directoryChanged.connect(self._resultsFolderChanged)
        ui.batchButton.clicked.connect(self.runOrCancel)
        ui.batchOpenButton.clicked.connect(self._openSelected)
        ui.batchStep.contentsCollapsed.connect(self._shown)
        self.update()

    def runOrCancel(self, *_unused: Any) -> None:
        """What the button does: run the study, or stop the one that runs."""
        if self._session.batch.running:
            self._session.batch.cancel()
        elif self._ensureReady():
            try:
                self._session.batch.start(self._scans(), self._ui.batchResultsButton.directory)
            except SAMLandmarkError as error:
                showText(self._ui.batchLabel, str(error))

    def update(self, *_unused: Any) -> None:
        """Show how far the study is, its scans, and enable what can be done now."""
        ui, batch = self._ui, self._session.batch
        # without the packages the session has no scans yet: the button installs them first
        blocking = "" if batch.running or not self._isReady() else batch.blocking_reason
        blocking = blocking or self._sourceProblem()
        self._hints.enable(ui.batchButton, _("It is stopping.") if batch.stopping else blocking)
        ui.batchButton.setText(_("Cancel") if batch.running else _("Run"))
        busy = _("A study is running.") if batch.running else ""
        for widget in (ui.batchSourceSelector, ui.batchResultsButton):
            self._hints.enable(widget, busy)
        database = ui.batchSourceSelector.currentIndex == _DATABASE
        self._hints.enable(
            ui.batchScansButton, _("The scans are those of the database.") if database else busy
        )
        ui.batchProgress.setVisible(batch.running)
        ui.batchProgress.setValue(round(100 * batch.fraction))
        showText(ui.batchTemplateLabel, "" if batch.blocking_reason else self._templateText())
        showText(ui.batchLabel, self._text())
        self._table.fill(batch.scans.values())
        self._hints.enable(ui.batchOpenButton, self._openProblem())

    def _templateText(self) -> str:
        session = self._session
        if session.protocol:
            return _("The named landmarks are looked for on every scan.")
        text = _("The {count} points of {template} are looked for on every scan.")
        return text.format(count=len(session.labels), template=session.template_volume.GetName())

    def _text(self) -> str:
        batch = self._session.batch
        if batch.opening:
            return _("Reading the scan.")
        return "\n".join((batch.text, *batch.doubts)).strip()

    def _sourceProblem(self) -> str:
        if self._ui.batchSourceSelector.currentIndex == _DATABASE and openDatabase() is None:
            return _("Open the module DICOM once: there is no database yet.")
        return ""

    def _openProblem(self) -> str:
        if self._session.batch.opening:
            return _("A scan is being read.")
        scan = self._table.selected
        if scan is None:
            return _("Choose a scan in the list.")
        return "" if scan.done else scan.reason or _("This scan has no results.")

    def _scans(self) -> BatchScans:
        if self._ui.batchSourceSelector.currentIndex == _DATABASE:
            return BatchScans(files=tuple(filesOfDatabase(openDatabase())))
        return BatchScans(folder=self._ui.batchScansButton.directory)

    def _openSelected(self, *_unused: Any) -> None:
        if self._table.selected is not None:
            self._open(self._table.selected)

    def _open(self, scan: Any) -> None:
        if scan.done:
            self._session.batch.open(scan.key)

    def _shown(self, collapsed: bool) -> None:
        """What is in the folder of results is looked for as late as the step is opened."""
        if not collapsed and self._session.batch.folder is None:
            self._session.batch.look_at(self._ui.batchResultsButton.directory)

    def _keepScansFolder(self, folder: str) -> None:
        slicer.app.userSettings().setValue(_SCANS, folder)

    def _resultsFolderChanged(self, folder: str) -> None:
        slicer.app.userSettings().setValue(_RESULTS, folder)
        self._session.batch.look_at(folder)
