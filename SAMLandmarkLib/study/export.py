"""The results of a study in any registered format: the files that `samlandmark transfer` writes, about all its scans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..core.results import TransferResult
from ..io.result_files import write_result_set
from ..io.target_names import numbered_names
from ..io.writers.writer import ResultSet, TargetFailure
from ..utils.errors import UsageError
from .outcome import ScanOutcome, StudyOutcome


def export_study(
    study: Path, output: Path, formats: Sequence[str]
) -> tuple[list[Path], tuple[TargetFailure, ...]]:
    """Write the landmarks of all scans that are done into a folder; returns the files, and the scans that are not done.

    A target is called PATIENT_SCAN. Raises UsageError where `study` holds none, where `output` is its own folder or a
    format is not registered, and OutputError.
    """
    outcome = StudyOutcome.read(study)
    if output.resolve() == study.resolve():
        raise UsageError(f"{output} holds the study's own files; give another folder to export to.")
    scans = [scan for patient in outcome.patients for scan in patient.scans]
    names = numbered_names([scan.scan.key.replace("/", "_") for scan in scans])
    named = list(zip(names, scans, strict=True))
    failures = tuple(_failure(name, scan) for name, scan in named if not scan.items)
    known = _checksums(scans)
    results = ResultSet(
        [_result(name, scan) for name, scan in named if scan.items], failures, outcome.settings, known.get
    )
    return write_result_set(output, results, formats), failures


def _result(name: str, scan: ScanOutcome) -> TransferResult:
    target = scan.document["targets"][0]
    sources = {role: given["path"] for role, given in target["inputs"].items()}
    answers = tuple(item.answer for item in scan.items)
    return TransferResult(target["template"], name, answers, {**scan.provenance, "sources": sources})


def _failure(name: str, scan: ScanOutcome) -> TargetFailure:
    return TargetFailure(name, str(scan.scan.path), scan.state.value, scan.reason)


def _checksums(scans: Iterable[ScanOutcome]) -> dict[str, str | None]:
    """What each input was when the landmarks were found, by path; None for the series of one folder, which differ."""
    known: dict[str, str | None] = {}
    for scan in scans:
        for given in scan.document["targets"][0]["inputs"].values() if scan.document else ():
            same = known.get(given["path"], given["sha256"]) == given["sha256"]
            known[given["path"]] = given["sha256"] if same else None
    return known
