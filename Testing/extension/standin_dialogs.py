"""The windows of an installation on the stand-in for Slicer's application; run as a script, in a process of its own."""

from __future__ import annotations

import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path

import slicer
from PySide6 import QtCore, QtWidgets

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "SAMLandmark")]

from slicer_standin.bench import Bench

bench = Bench()

from SAMLandmarkPanel import installation, installation_dialogs, pip_process
from SAMLandmarkPanel.installation_source import InstallationSource


def shortly(action: Callable[[QtWidgets.QWidget], None]) -> list[QtWidgets.QWidget]:
    """Do `action` with the dialog as soon as one is open; returns a list that then holds the dialog."""
    windows: list[QtWidgets.QWidget] = []

    def attempt() -> None:
        windows.extend(_dialogs())
        if windows:
            action(windows[0])
        else:
            QtCore.QTimer.singleShot(20, attempt)

    QtCore.QTimer.singleShot(20, attempt)
    return windows


def _dialogs() -> list[QtWidgets.QDialog]:
    windows = QtWidgets.QApplication.topLevelWidgets()
    return [window for window in windows if isinstance(window, QtWidgets.QDialog) and window.visible]


def press(text: str) -> Callable[[QtWidgets.QWidget], None]:
    """The action that presses the button with this text."""

    def action(window: QtWidgets.QWidget) -> None:
        buttons = {
            button.text.replace("&", ""): button for button in window.findChildren(QtWidgets.QPushButton)
        }
        buttons[text].click()

    return action


class QuestionTest(unittest.TestCase):
    """askForSource()."""

    def test_it_names_what_is_missing(self) -> None:
        windows = shortly(press("Cancel"))
        self.assertIsNone(installation_dialogs.askForSource(["torch>=2.2", "rich>=13.7"]))
        self.assertIn("torch>=2.2, rich>=13.7", windows[0].text)

    def test_internet(self) -> None:
        shortly(press("Install from the internet"))
        self.assertEqual(installation_dialogs.askForSource(["rich"]), InstallationSource())

    def test_folder(self) -> None:
        folder = Path("/some where")
        installation_dialogs.qt.QFileDialog.getExistingDirectory = staticmethod(lambda *_: str(folder))
        shortly(press("Install from a folder..."))
        self.assertEqual(installation_dialogs.askForSource(["rich"]), InstallationSource(folder))

    def test_folder_dialog_canceled(self) -> None:
        installation_dialogs.qt.QFileDialog.getExistingDirectory = staticmethod(lambda *_: "")
        shortly(press("Install from a folder..."))
        self.assertIsNone(installation_dialogs.askForSource(["rich"]))

    def test_escape_means_no(self) -> None:
        shortly(lambda window: window.reject())
        self.assertIsNone(installation_dialogs.askForSource(["rich"]))


class ProgressTest(unittest.TestCase):
    """ProgressWindow, with a real pip behind it."""

    def test_it_opens_when_pip_works_and_cancel_stops_pip(self) -> None:
        progress = installation_dialogs.ProgressWindow()
        shortly(press("Cancel"))
        with self.assertRaisesRegex(pip_process.InstallationError, "canceled"):
            pip_process.runPip(["--no-index", "nothing-of-this-name"], self._patiently(progress))
        progress.close()
        self.assertEqual(_dialogs(), [])

    def _patiently(self, progress: installation_dialogs.ProgressWindow) -> Callable[[], bool]:
        """Let pip wait until Cancel was pressed: it would be done before."""

        def keepGoing() -> bool:
            while progress():
                time.sleep(0.02)
            return False

        return keepGoing

    def test_without_a_call_there_is_no_window(self) -> None:
        installation_dialogs.ProgressWindow().close()
        self.assertEqual(_dialogs(), [])


class FlowTest(unittest.TestCase):
    """ensureInstalled() from the question to the failure."""

    def setUp(self) -> None:
        type(slicer.app).testingEnabled = lambda app: False
        installation.missingRequirements = lambda: ["samlandmark-absent>=1"]
        self.shown: list[tuple] = []
        slicer.util.errorDisplay = lambda *texts, **options: self.shown.append((texts, options))

    def test_declined(self) -> None:
        shortly(press("Cancel"))
        self.assertFalse(installation.ensureInstalled())
        self.assertEqual(self.shown, [])

    def test_a_failure_is_shown_with_what_pip_printed(self) -> None:
        wheels = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (wheels / "other-1.0-py3-none-any.whl").write_bytes(b"")
        installation_dialogs.qt.QFileDialog.getExistingDirectory = staticmethod(lambda *_: str(wheels))
        shortly(press("Install from a folder..."))
        self.assertFalse(installation.ensureInstalled())
        ((texts, options),) = self.shown
        self.assertIn("No matching distribution found for samlandmark-absent>=1", texts[0])
        self.assertIn("from versions: none", options["detailedText"])

    def test_success(self) -> None:
        states = iter([["samlandmark-absent>=1"], []])
        installation.missingRequirements = lambda: next(states)
        installation.installFromInternet = lambda requirements, keepGoing: None
        shortly(press("Install from the internet"))
        self.assertTrue(installation.ensureInstalled())
        self.assertEqual(self.shown, [])


if __name__ == "__main__":
    bench.show(600, 400)
    unittest.main(verbosity=2)
