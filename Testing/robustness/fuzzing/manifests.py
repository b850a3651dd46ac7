"""Manifests of studies in csv and JSON, judged by a plain parser."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from SAMLandmarkLib.study.manifest import read_manifest

from .case import Case
from .damage import damaged_bytes, damaged_text

_COLUMNS = ("patient", "role", "date", "volume", "landmarks")
_WORDS = (
    "template",
    "follow-up",
    "../scan.nii",
    "2024-02-31",
    "20240131",
    "",
    "CON",
    "a" * 300,
    "study.csv",
    ".",
    "[]",
    "null",
)
Scans = list[tuple[str, str, str]]


def make(rng: np.random.Generator, folder: Path) -> Case:
    """A manifest of a few patients whose scans are there, with nothing, its text or its bytes damaged."""
    (folder / "points.csv").write_text("label,x,y,z\ncarina,1,2,3\n")
    rows = [row for number in range(int(rng.integers(1, 4))) for row in _patient(rng, folder, number)]
    kind, separator = str(rng.choice(["csv", "json"])), str(rng.choice([",", ";"]))
    text = (
        json.dumps({"scans": rows} if rng.random() < 0.5 else rows, indent=1)
        if kind == "json"
        else _csv(rows, separator)
    )
    how = str(rng.choice(["valid", "text", "text", "text", "bytes"]))
    what, content = how, text.encode()
    if how == "text":
        text, what = damaged_text(rng, text, _WORDS)
        content = text.encode("utf-8", "surrogatepass")
    elif how == "bytes":
        content, what = damaged_bytes(rng, content)
    path = folder / f"study.{kind}"
    path.write_bytes(content)

    def judge(answer: Scans) -> str:
        expected = _plain(content, kind, separator, folder)
        return "" if answer == expected else f"{answer} instead of {expected}"

    return Case(f"{path.name}: {what}", how == "valid", lambda: _read(path), judge)


def _patient(rng: np.random.Generator, folder: Path, number: int) -> list[dict[str, str]]:
    rows = []
    for visit in range(int(rng.integers(2, 4))):
        name = f"p{number}-{visit}.nii"
        (folder / name).write_bytes(b"")
        first = visit == 0
        role, points = ("template", "points.csv") if first else ("follow-up", "")
        rows.append(dict(zip(_COLUMNS, (f"P{number}", role, f"202{visit}-0{number + 1}-15", name, points))))
    return rows


def _csv(rows: list[dict[str, str]], separator: str) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, _COLUMNS, delimiter=separator, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _read(path: Path) -> Scans:
    plan = read_manifest(path, csv_frame="LPS").plan
    templates = [template.scan for patient in plan.patients for template in patient.templates]
    follow_ups = [scan for patient in plan.patients for scan in patient.follow_ups]
    return sorted((scan.patient, scan.date, str(scan.path)) for scan in [*templates, *follow_ups])


def _plain(content: bytes, kind: str, separator: str, folder: Path) -> Scans:
    text = content.decode("utf-8-sig")
    if kind == "json":
        document = json.loads(text)
        entries = document["scans"] if isinstance(document, dict) else document
    else:
        lines = [
            line
            for line in csv.reader(io.StringIO(text), delimiter=separator, strict=True)
            if any(c.strip() for c in line)
        ]
        header = [name.strip().lower() for name in lines[0]]
        entries = [dict(zip(header, line)) for line in lines[1:]]
    rows = [
        {key.lower(): "" if value is None else str(value).strip() for key, value in entry.items()}
        for entry in entries
    ]
    return sorted((row["patient"], _date(row.get("date", "")), str(folder / row["volume"])) for row in rows)


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if text.isdigit() and len(text) == 8 else text
