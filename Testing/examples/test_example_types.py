"""What a reader copies passes a strict type checker: the examples, and the Python of README.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
_STRICTLY = ("--config-file=", "--strict", "--follow-imports=silent", "--ignore-missing-imports")


def checked(files: list[Path], folder: Path) -> str:
    """What mypy finds in files that use this checkout's library; other packages count as untyped, which takes seconds."""
    pytest.importorskip("mypy", reason="mypy comes with the [test] packages")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            *_STRICTLY,
            "--no-site-packages",
            "--cache-dir",
            folder / "cache",
            *files,
        ],
        env={**os.environ, "MYPYPATH": str(REPOSITORY)},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_examples_and_the_python_of_the_readme_are_typed(tmp_path):
    files = sorted((REPOSITORY / "examples").glob("*.py"))
    blocks = re.findall(
        r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert files and blocks
    for number, code in enumerate(blocks):
        files.append(tmp_path / f"readme_{number}.py")
        files[-1].write_text(code, encoding="utf-8")
    assert checked(files, tmp_path).startswith("Success: no issues found")


def test_a_mistake_is_seen(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from SAMLandmarkLib import TransferEngine\n\nTransferEngine(device=3).transfer()\n")
    found = checked([wrong], tmp_path)
    assert 'Argument "device" to "TransferEngine" has incompatible type "int"' in found
    assert 'Missing positional arguments "template", "landmarks", "target"' in found
