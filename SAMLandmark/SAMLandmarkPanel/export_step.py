"""Export: points, tables and report in a folder, written in the background."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from slicer.util import settingsValue

from SAMLandmarkLib.reporting.pictures import Pictures
from SAMLandmarkLib.session import TransferSession
from SAMLandmarkLib.utils.errors import SAMLandmarkError

from .widget_help import WidgetHelp, letPathsBeLong, showText

# in Slicer's settings and not in the scene, which may travel: a folder names a computer and a person
_FOLDER, _PICTURES = "SAMLandmark/ExportFolder", "SAMLandmark/ExportPictures"
_CHOICES = (Pictures.DOUBTFUL, Pictures.ALL, Pictures.NONE)


def _usualFolder() -> Path:
    return Path.home() / "SAMLandmark"


class ExportStep:
    """Writes what was found and decided, and opens the folder."""

    def __init__(self, ui: Any, hints: WidgetHelp, session: TransferSession) -> None:
        self._ui, self._hints, self._session = ui, hints, session
        self._folder: Path | None = None
        self._fillChoices()
        letPathsBeLong(ui.exportFolderButton)
        ui.exportFolderButton.directory = settingsValue(_FOLDER, str(_usualFolder()))
        ui.exportFolderButton.directoryChanged.connect(self._keepFolder)
        ui.picturesSelector.currentIndexChanged.connect(self._keepPictures)
        ui.exportButton.clicked.connect(self.exportOrCancel)
        ui.openFolderButton.clicked.connect(self._openFolder)
        showText(ui.exportLabel, "")
        self.update()

    def _fillChoices(self) -> None:
        for text in (_("of doubtful and changed points"), _("of all points"), _("none")):
            self._ui.picturesSelector.addItem(text)
        kept = settingsValue(_PICTURES, Pictures.DOUBTFUL.value)
        known = [choice.value for choice in _CHOICES]
        self._ui.picturesSelector.setCurrentIndex(known.index(kept) if kept in known else 0)

    def exportOrCancel(self, *_unused: Any) -> None:
        """What the button does: write the files into the chosen folder, or cancel that."""
        if self._session.exports.running:
            self._session.exports.cancel()
            return
        self._folder = Path(self._ui.exportFolderButton.directory)
        try:
            self._session.exports.start(self._folder, self._pictures())
        except SAMLandmarkError as error:
            showText(self._ui.exportLabel, str(error))

    def update(self) -> None:
        """Show how far an export is and how the last one ended, and enable what can be done now."""
        exports = self._session.exports
        empty = not self._session.counts["total"] and not exports.running
        self._hints.enable(self._ui.exportButton, _("Transfer the points first.") if empty else "")
        self._ui.exportButton.setText(_("Cancel") if exports.running else _("Export"))
        self._ui.exportProgress.setVisible(exports.running)
        self._ui.exportProgress.setValue(round(100 * exports.fraction))
        if exports.running:
            showText(self._ui.exportLabel, "")
        elif exports.end is not None:
            showText(self._ui.exportLabel, _endText(exports.end))
        written = exports.end is not None and exports.end.files
        self._hints.enable(self._ui.openFolderButton, "" if written else _("Export first."))

    def _pictures(self) -> Pictures:
        return _CHOICES[self._ui.picturesSelector.currentIndex]

    def _keepFolder(self, folder: str) -> None:
        slicer.app.userSettings().setValue(_FOLDER, folder)

    def _keepPictures(self, *_unused: Any) -> None:
        slicer.app.userSettings().setValue(_PICTURES, self._pictures().value)

    def _openFolder(self, *_unused: Any) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._folder)))


def _endText(end: Any) -> str:
    if end.problem:
        return end.problem
    text = _("{count} files were written; open {report} to read the results.")
    report = next((path.name for path in end.files if path.suffix == ".html"), "")
    return text.format(count=len(end.files), report=report)
