"""What an evaluation ran on: machine, versions, commit, model."""

from __future__ import annotations

import platform
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..utils.threads import usable_cores

_PACKAGES = ("torch", "numpy", "SimpleITK")


def describe_run() -> dict[str, Any]:
    """Date, machine, versions and commit, as JSON can hold them."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": {"SAMLandmark": __version__, "Python": platform.python_version()}
        | {name: metadata.version(name) for name in _PACKAGES},
        "commit": source_commit(),
    }


def describe_machine() -> dict[str, Any]:
    """Processor and its instructions, cores that this process may use, threads that torch uses, operating system.

    `precision` is what "auto" computes in.
    """
    import torch

    from ..models.device import choose_device
    from ..models.precision import compute_dtype, instruction_set, precision_name

    return {
        "system": platform.platform(),
        "processor": _processor(),
        "instruction_set": instruction_set(),
        "precision": precision_name(compute_dtype(choose_device())),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(errors="replace").splitlines() if cpuinfo.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def source_commit() -> str | None:
    """Commit of this source, "+changes" where files differ from it; None where it isn't a git checkout."""
    # An installed copy may lie inside somebody else's checkout: only the commit that tracks this file counts.
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    commit = _git("rev-parse", "HEAD")
    return f"{commit}+changes" if _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ("git", "-C", str(Path(__file__).parent), *arguments), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
