"""Runs the self-tests in a real Slicer and ends it with 0 where all passed: Slicer --testing --python-script <this>.

What the tests print also goes to the file that SAMLANDMARK_TEST_LOG names: on Windows the console shows nothing of it.
"""

import os
import sys
import unittest
from pathlib import Path

import slicer

FOLDER = Path(__file__).resolve().parent


class _Log:
    """Writes to the console and to a file."""

    def __init__(self, file):
        self._streams = (sys.stdout, file)

    def write(self, text):
        for stream in self._streams:
            stream.write(text)

    def flush(self):
        for stream in self._streams:
            stream.flush()


def _run(log):
    """The exit code: 1 also where nothing ran or, with SAMLANDMARK_TEST_NO_SKIP, where anything was skipped."""
    log.write(f"Slicer {slicer.app.applicationVersion}, Python {sys.version.split()[0]}, {sys.platform}\n")
    sys.path[:0] = [str(FOLDER.parent), str(FOLDER / "Python")]
    suite = unittest.defaultTestLoader.loadTestsFromNames(["SAMLandmarkInstalledTest", "SAMLandmark"])
    result = unittest.TextTestRunner(stream=log, verbosity=2).run(suite)
    skipped = result.skipped and os.environ.get("SAMLANDMARK_TEST_NO_SKIP")
    return 0 if result.wasSuccessful() and result.testsRun and not skipped else 1


code = 1
try:
    with open(os.environ.get("SAMLANDMARK_TEST_LOG", os.devnull), "w", encoding="utf-8") as file:
        code = _run(_Log(file))
finally:
    slicer.util.exit(code)
