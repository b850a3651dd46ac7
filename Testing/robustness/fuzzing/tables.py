"""Landmark files of every format, judged by plain parsers of csv and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np

from SAMLandmarkLib.core.landmarks import LandmarkSet

from .case import Case
from .damage import damaged_bytes, damaged_text

Points = list[tuple[str, tuple[float, float, float] | None]]

_LABELS = (
    "carina",
    "left hilum",
    "Lympho, 4R",
    'a "quoted" one',
    "pôle",
    "7",
    "=1+1",
    "T12",
    "-",
    "x;y",
    "nodule\u00a02",
)
_WORDS = (
    "LPS",
    "RAS",
    "0",
    "1",
    "lps",
    "XYZ",
    "vtkMRMLScalarVolumeNode1",
    "defined",
    "missing",
    "mm",
    "cm",
    "[1]",
    "",
)
_FCSV = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
_EXACT = 1e-6


def make(rng: np.random.Generator, folder: Path) -> Case:
    """A landmark file of one of the formats, with nothing, its text or its bytes damaged."""
    points: Points = [
        (str(label), tuple(rng.uniform(-400, 400, 3).round(3).tolist()))
        for label in rng.choice(_LABELS, int(rng.integers(1, 7)), replace=False)
    ]
    kind = str(rng.choice(["csv", "csv", "fcsv", "json"]))
    frame = str(rng.choice(["LPS", "RAS"]))
    text, parse = {"csv": _csv, "fcsv": _fcsv, "json": _json}[kind](rng, points, frame)
    says_frame = "label,x" not in text and "label;x" not in text and "label\tx" not in text
    how = str(rng.choice(["valid", "text", "text", "text", "bytes"]))
    what, content = how, text.encode()
    if how == "text":
        text, what = damaged_text(rng, text, _WORDS)
        content = text.encode("utf-8", "surrogatepass")
    elif how == "bytes":
        content, what = damaged_bytes(rng, content)
    elif rng.random() < 0.3:
        content = text.encode("utf-16" if rng.random() < 0.5 and kind == "csv" else "utf-8-sig")
    path = folder / {"csv": "points.csv", "fcsv": "points.fcsv", "json": "points.mrk.json"}[kind]
    path.write_bytes(content)
    truth = _in_lps(points, frame)

    def read() -> Points:
        landmarks = LandmarkSet.read(path, frame if kind == "csv" and not says_frame else None)
        return [
            (item.label, None if item.position_lps is None else tuple(item.position_lps))
            for item in landmarks
        ]

    def judge(answer: Points) -> str:
        try:
            expected = parse(content)
        except Exception as error:
            same = _same(answer, truth)
            return "" if same else f"{answer} are not the undamaged ones, and a plain parser says {error!r}"
        return "" if _same(answer, expected) else f"{answer} instead of {expected}"

    return Case(f"{path.name}: {what}", how == "valid", read, judge)


def _in_lps(points: Points, frame: str) -> Points:
    signs = (1, 1, 1) if frame == "LPS" else (-1, -1, 1)
    return [(label, None if at is None else tuple(s * v for s, v in zip(signs, at))) for label, at in points]


def _same(answer: Points, expected: Points) -> bool:
    if [label for label, _at in answer] != [label for label, _at in expected]:
        return False
    return all(
        (a is None) == (b is None) and (a is None or np.allclose(a, b, rtol=0, atol=_EXACT))
        for (_x, a), (_y, b) in zip(answer, expected)
    )


def _text(content: bytes) -> str:
    return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


def _number(text: str, comma: bool = False) -> float:
    text = text.strip()
    if "_" in text or not text.isascii():
        raise ValueError(f"{text!r} is no number")
    value = float(text.replace(",", ".") if comma and text.count(",") == 1 and "." not in text else text)
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def _csv(rng, points, frame):
    separator = str(rng.choice([",", ",", ";", "\t"]))
    comma = separator != "," and rng.random() < 0.5
    own = rng.random() < 0.3
    names = (
        ["label", *(("l", "p", "s") if frame == "LPS" else ("r", "a", "s") if own else "xyz")]
        if own
        else ["label", *"xyz"]
    )
    extra = ["defined", "selected"] if own else ["note"] if rng.random() < 0.3 else []
    rows = [
        [label, *(str(v).replace(".", ",") if comma else str(v) for v in at), *("1" for _ in extra)]
        for label, at in points
    ]
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, lineterminator=str(rng.choice(["\n", "\r\n"])))
    writer.writerows([[*names, *extra], *rows])
    text = file.getvalue()
    if separator == ";" and rng.random() < 0.3:
        text = "sep=;\n" + text

    def parse(content: bytes) -> Points:
        lines = _text(content).splitlines(keepends=True)
        if lines[0].startswith("sep="):
            lines = lines[1:]
        rows = [
            row
            for row in csv.reader(lines, delimiter=separator, strict=True)
            if any(cell.strip() for cell in row)
        ]
        header = [name.strip().lower() for name in rows[0]]
        axes = next(
            axes for axes in (("x", "y", "z"), ("r", "a", "s"), ("l", "p", "s")) if set(axes) <= set(header)
        )
        if len(set(header)) < len(header):
            raise ValueError("a column twice")
        said = {"r": "RAS", "l": "LPS"}.get(axes[0], frame)
        return _in_lps(
            [
                _row(dict(zip(header, row, strict=len(row) >= len(header))), axes, comma, separator)
                for row in rows[1:]
            ],
            said,
        )

    return text, parse


def _row(row: dict[str, str], axes: tuple[str, ...], comma: bool, separator: str) -> tuple:
    texts = [row[axis].strip() for axis in axes]
    if row.get("defined", "1").strip() == "0" or not any(texts):
        return row["label"].strip(), None
    return row["label"].strip(), tuple(_number(text, separator != ",") for text in texts)


def _fcsv(rng, points, frame):
    said = frame if rng.random() < 0.7 else {"RAS": "0", "LPS": "1"}[frame]
    file = io.StringIO()
    file.write(f"# Markups fiducial file version = 4.11\n# CoordinateSystem = {said}\n# columns = {_FCSV}\n")
    writer = csv.writer(file, lineterminator="\n")
    for number, (label, at) in enumerate(points):
        writer.writerow([number, *at, 0, 0, 0, 1, 1, 1, 0, label, "", "", 2, 0])

    def parse(content: bytes) -> Points:
        lines = _text(content).splitlines(keepends=True)
        heads = [line[1:].split("=", 1) for line in lines if line.startswith("#") and "=" in line]
        fields = {name.strip(): value.strip() for name, value in heads}
        if len(fields) < len(heads):
            raise ValueError("a field twice")
        columns = [name.strip() for name in fields["columns"].split(",")]
        named = {"RAS": "RAS", "LPS": "LPS", "0": "RAS", "1": "LPS"}[fields["CoordinateSystem"].upper()]
        body = [line for line in lines if not line.startswith("#")]
        points = []
        for cells in csv.reader(body, strict=True):
            if any(cell.strip() for cell in cells):
                row = dict(zip([*columns, "status", "auto"], cells))
                at = (
                    None
                    if row.get("status", "2").strip() in ("0", "1", "3")
                    else tuple(_number(row[axis]) for axis in "xyz")
                )
                points.append((row["label"].strip(), at))
        return _in_lps(points, named)

    return file.getvalue(), parse


def _json(rng, points, frame):
    entries = [
        {"id": str(number), "label": label, "position": list(at), "positionStatus": "defined"}
        for number, (label, at) in enumerate(points)
    ]
    lists = [entries[: len(entries) // 2], entries[len(entries) // 2 :]] if rng.random() < 0.3 else [entries]
    markups = [
        {"type": "Fiducial", "coordinateSystem": frame, "coordinateUnits": "mm", "controlPoints": part}
        for part in lists
    ]
    text = json.dumps({"markups": markups}, indent=int(rng.integers(0, 3)) or None)

    def parse(content: bytes) -> Points:
        found: Points = []
        for markup in json.loads(_text(content))["markups"]:
            if markup["type"] != "Fiducial":
                continue
            if markup.get("coordinateUnits", "mm") != "mm":
                raise ValueError("not in mm")
            said = {"RAS": "RAS", "LPS": "LPS", "0": "RAS", "1": "LPS"}[
                str(markup.get("coordinateSystem", "LPS"))
            ]
            found += _in_lps([_point(point) for point in markup.get("controlPoints", [])], said)
        return found

    return text, parse


def _point(point: dict) -> tuple:
    if point.get("positionStatus", "defined") != "defined" or not point.get("position"):
        return point.get("label") or "", None
    x, y, z = point["position"]
    return str(point["label"]), (float(x), float(y), float(z))
