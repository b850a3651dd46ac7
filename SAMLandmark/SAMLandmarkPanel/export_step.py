"""Export: points, tables and report in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from SAMLandmarkLib.errors import SAMLandmarkError
from SAMLandmarkLib.session import TransferSession

from .widget_help import WidgetHelp, showText


class ExportStep:
    """Writes what was found and decided, and opens the folder."""

    def __init__(self, ui: Any, hints: WidgetHelp, session: TransferSession) -> None:
        self._ui, self._hints, self._session = ui, hints, session
        self._exported: Path | None = None
        ui.exportButton.clicked.connect(self.export)
        ui.openFolderButton.clicked.connect(self._openFolder)
        showText(ui.exportLabel, "")

    def export(self, *_unused: Any) -> None:
        """Write the files into the chosen folder; what goes wrong is told below the button."""
        folder, self._exported = Path(self._ui.exportFolderButton.directory), None
        try:
            files = self._session.export(folder)
        except SAMLandmarkError as error:
            showText(self._ui.exportLabel, str(error))
            self.update()
            return
        self._exported = folder
        text = _("{count} files were written; open {report} to read the results.")
        report = next((path.name for path in files if path.suffix == ".html"), folder.name)
        showText(self._ui.exportLabel, text.format(count=len(files), report=report))
        self.update()

    def update(self) -> None:
        """Enable what can be done now."""
        empty = not self._session.state.counts()["total"]
        self._hints.enable(self._ui.exportButton, _("Transfer the points first.") if empty else "")
        self._hints.enable(self._ui.openFolderButton, "" if self._exported else _("Export first."))

    def _openFolder(self, *_unused: Any) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._exported)))
