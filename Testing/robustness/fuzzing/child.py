"""Reads and judges inputs one after the other, in a process that may crash or hang without harm to the others."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuzzing.case import Case

ROBUSTNESS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROBUSTNESS), str(ROBUSTNESS.parent / "study")]
_MOST_MEMORY = 1 << 30


def main() -> None:
    """A line of kind and seed in, a line of JSON out."""
    answers = os.fdopen(os.dup(1), "w")
    # What libraries print goes nowhere, so that the answers stay readable.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    for line in sys.stdin:
        kind, seed = line.split()
        print(json.dumps(outcome(kind, int(seed))), file=answers, flush=True)


def outcome(kind: str, seed: int, read: Callable[[Path], Any] | None = None) -> dict[str, str]:
    """What comes of one input: a verdict and its reason.

    `read` takes the folder of the input and reads it instead of the library, to see whether its faults are found.
    """
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    tempfile.tempdir = str(folder / "tmp")
    Path(tempfile.tempdir).mkdir()
    before = Path.cwd()
    os.chdir(tempfile.tempdir)
    try:
        return _outcome(kind, seed, folder, read)
    finally:
        os.chdir(before)
        tempfile.tempdir = None
        shutil.rmtree(folder, ignore_errors=True)


def _outcome(kind: str, seed: int, folder: Path, read: Callable[[Path], Any] | None = None) -> dict[str, str]:
    import numpy as np

    from fuzzing import KINDS
    from SAMLandmarkLib.utils.errors import SAMLandmarkError

    inputs = folder / "inputs"
    inputs.mkdir()
    case = KINDS[kind](np.random.default_rng([seed, *map(ord, kind)]), inputs)
    files, memory = _listed(folder), _peak()
    try:
        answer = case.read() if read is None else read(inputs)
    except SAMLandmarkError as error:
        verdict = "valid refused" if case.is_valid else "refused"
        detail = str(error)
    except Exception:
        verdict, detail = "traceback", traceback.format_exc()
    else:
        detail = _judged(case, answer)
        verdict = "wrong" if detail else "doubted" if getattr(answer, "doubted", False) else "right"
    if left := sorted(_listed(folder) - files):
        verdict, detail = "left behind", str(left)
    if _peak() - memory > _MOST_MEMORY:
        verdict, detail = "memory", f"{(_peak() - memory) >> 20} MiB"
    return {"verdict": verdict, "what": case.what, "detail": detail[-1500:]}


def _judged(case: Case, answer: Any) -> str:
    try:
        return case.judge(answer)
    except Exception:
        return f"taken, but the judge can't read it: {traceback.format_exc()}"


def _listed(folder: Path) -> set[str]:
    """What lies in a folder; PyTorch's own cache is not the library's."""
    paths = (str(path.relative_to(folder)) for path in folder.rglob("*"))
    return {path for path in paths if "torchinductor" not in path}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
