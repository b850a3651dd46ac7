"""What a study's folder says of its scans."""

from __future__ import annotations

import csv
from pathlib import Path

from SAMLandmarkLib.study.ledger import Ledger, State


def table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "study.csv").read_text().splitlines()))


def attempts(folder: Path) -> dict[str, int]:
    with Ledger.read(folder) as ledger:
        return {key: entry.attempts for key, entry in ledger.entries().items()}


def states(folder: Path) -> dict[str, tuple[State, str]]:
    with Ledger.read(folder) as ledger:
        return ledger.states()


def appended(manifest: Path, *lines: str) -> Path:
    manifest.write_text(manifest.read_text() + "".join(f"{line}\n" for line in lines))
    return manifest
