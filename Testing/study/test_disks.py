"""Disks that are full, or that nothing may be written on, and memory that is short."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest


@cache
def may_mount() -> bool:
    """Whether a process may have a disk of its own here."""
    unshare = shutil.which("unshare")
    return bool(unshare) and subprocess.run([unshare, "-rm", "true"], capture_output=True).returncode == 0


def test_a_study_outlives_a_full_disk_and_one_that_takes_nothing(own_study: Path, run_study, tmp_path: Path):
    if not may_mount():
        pytest.skip("no disk may be mounted here")
    (disk := tmp_path / "disk").mkdir()
    script = Path(__file__).with_name("small_disk.py")
    command = ["unshare", "-rm", sys.executable, str(script), str(own_study), str(disk)]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=600)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    answer = json.loads(ran.stdout)
    said = answer["said"]
    assert "disk" in said["full"] or "No space" in said["full"]
    assert said["roomy"] == ""
    assert "ledger.sqlite" in said["read-only"] or "Read-only" in said["read-only"]
    run_study(own_study, tmp_path / "elsewhere")
    assert answer["table"] == (tmp_path / "elsewhere" / "study.csv").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is cut short by a limit of Linux")
def test_a_batch_without_memory_says_so_and_blames_no_file(own_study: Path, tmp_path: Path):
    command = [
        sys.executable,
        "-m",
        "SAMLandmarkLib",
        "batch",
        str(own_study),
        "--output",
        str(tmp_path / "out"),
    ]
    command += ["--device", "cpu", "--threads", "1", "--workers", "1", "--no-cache"]
    # enough for Python, PyTorch and reading, hardly for the network
    limited = ["bash", "-c", 'ulimit -v 750000; exec "$0" "$@"', *command]
    ran = subprocess.run(limited, capture_output=True, encoding="utf-8", timeout=600)
    assert ran.returncode in (1, 2)
    assert "memory" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "damaged" not in ran.stderr
