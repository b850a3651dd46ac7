"""What needs Slicer's application runs on the stand-in for it, each script in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in needs PySide6-Essentials")


@pytest.mark.parametrize("script", ["standin_dialogs.py", "standin_self_tests.py"])
def test_script_passes(script: str, tmp_path: Path) -> None:
    """The windows of the installation; and the self-tests that users run inside Slicer."""
    settings = {
        "QT_QPA_PLATFORM": "offscreen",
        "VTK_DEFAULT_OPENGL_WINDOW": "vtkEGLRenderWindow",
        "XDG_CACHE_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    result = subprocess.run(
        [sys.executable, Path(__file__).with_name(script)],
        env=os.environ | settings, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "skipped" not in result.stderr
