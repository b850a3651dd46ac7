"""What the user sees of an installation: the question, the progress, the failure."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from .installation_source import InstallationSource
from .pip_process import InstallationError


class ProgressWindow:
    """A window with a Cancel button that appears when it is called first; a call is false once Cancel was pressed."""

    def __init__(self, parent: object | None = None) -> None:
        self._parent = parent
        self._window = None

    def __call__(self) -> bool:
        """Keep the application alive; whether the installation shall go on."""
        if self._window is None:
            self._window = slicer.util.createProgressDialog(
                parent=self._parent,
                maximum=0,
                modal=True,
                labelText=_("Installing Python packages. This may take some minutes."),
                windowTitle=_("SAMLandmark installation"),
            )
            self._window.show()
        slicer.app.processEvents()
        return not self._window.wasCanceled

    def close(self) -> None:
        """Take the window away, if there is one."""
        if self._window is not None:
            self._window.close()


def askForSource(missing: list[str], parent: object | None = None) -> InstallationSource | None:
    """Ask whether and from where to install `missing`; None where the user cancels."""
    box = qt.QMessageBox(parent or slicer.util.mainWindow())
    box.setIcon(qt.QMessageBox.Question)
    box.setWindowTitle(_("SAMLandmark installation"))
    box.setText(
        _("SAMLandmark needs Python packages that are not installed yet: {packages}.").format(
            packages=", ".join(missing)
        )
    )
    box.setInformativeText(
        _(
            "They are added to the Python of Slicer. The download takes from a few hundred megabytes to some gigabytes"
            " with GPU support. Without internet, choose a folder that holds the packages."
        )
    )
    internet = box.addButton(_("Install from the internet"), qt.QMessageBox.AcceptRole)
    folder = box.addButton(_("Install from a folder..."), qt.QMessageBox.ActionRole)
    box.addButton(qt.QMessageBox.Cancel)
    box.exec_()
    if box.clickedButton() == internet:
        return InstallationSource()
    return _askForFolder(parent) if box.clickedButton() == folder else None


def showFailure(error: InstallationError, parent: object | None = None) -> None:
    """Show why the installation failed, with what pip printed behind "Show Details"."""
    details = {"detailedText": error.details} if error.details else {}
    slicer.util.errorDisplay(str(error), _("SAMLandmark installation"), parent=parent, **details)


def _askForFolder(parent: object | None) -> InstallationSource | None:
    folder = qt.QFileDialog.getExistingDirectory(
        parent or slicer.util.mainWindow(), _("Folder with the Python packages (*.whl)")
    )
    return InstallationSource(Path(folder)) if folder else None
