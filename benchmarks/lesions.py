"""Lesions found again: semi-synthetic lesions in deformed real CT, and points on real follow-ups.

    python benchmarks/lesions.py DATA [--scans 8] [--lesions 25] [--no-real] [--methods samlandmark ...] [--output FILE]

DATA holds eval/chest, eval/abdomen (scans into which lesions are put) and eval/lung-followup, eval/abdomen-followup (real
pairs with points). Every method gets the same scans and the same lists. What is measured of each pair is written to
FILE.jsonl as soon as it is there; the tables are made of that, also of an earlier run with --from FILE.jsonl.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from lesion_tables import tables

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.lesions import Diameter, Finding, LesionStatus, plain_point
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.runtime import EngineRuntime
from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.evaluation.baselines.registry import baseline_named, why_missing
from SAMLandmarkLib.evaluation.inserted_lesions import background
from SAMLandmarkLib.evaluation.lesion_pairs import LesionPair, PlacedLesion, lesion_pair
from SAMLandmarkLib.tracking.assignment import Sizes, assign, merges_and_splits, pair_costs, vanish_costs
from SAMLandmarkLib.tracking.carried import Carried
from SAMLandmarkLib.tracking.ellipse import Ellipse
from SAMLandmarkLib.tracking.measure import look_of
from SAMLandmarkLib.tracking.proposals import proposed_finding
from SAMLandmarkLib.tracking.scan_carrier import ScanCarrier

OWN = "samlandmark"
METHODS = (OWN, "sitk-affine", "convexadam", "descriptors")
SIGMA_MM = {"sitk-affine": 8.0, "convexadam": 3.0, "descriptors": 4.0}
"""How far the others may be off along each axis: about what they are off in this benchmark, in their favour."""
READER_MM, READER_LENGTH = 1.0, 0.05
"""How readers place a lesion (standard deviation along each axis) and measure it (as a part of its length)."""
ORGAN_RADIUS_MM = 12.0
REAL = ("lung-followup", "abdomen-followup")
Carry = Callable[[Volume, Volume, np.ndarray], Carried]


def own_carry(folder: Path) -> Carry:
    runtime = EngineRuntime(WorkerSettings(cache_limit_bytes=0), folder)

    def carry(baseline: Volume, followup: Volume, points_lps: np.ndarray) -> Carried:
        return ScanCarrier(runtime, [lambda: baseline, lambda: followup]).carry(0, 1, points_lps)

    return carry


def other_carry(name: str) -> Carry:
    baseline = baseline_named(name, same_patient=True)

    def carry(first: Volume, second: Volume, points_lps: np.ndarray) -> Carried:
        labels = [f"{row}" for row in range(len(points_lps))]
        places = baseline.transfer(first, LandmarkSet.from_points(labels, points_lps), second)
        return Carried(
            places,
            np.full(len(places), SIGMA_MM[name]),
            np.ones(len(places)),
            np.tile(np.eye(3), (len(places), 1, 1)),
            second.distance_to_border_mm(places),
        )

    return carry


def sizes(lengths_mm: np.ndarray) -> Sizes:
    return Sizes(lengths_mm, ("",) * len(lengths_mm))


def true_length_mm(item: PlacedLesion, volume: Volume) -> float:
    long, _short = item.shape.diameters(volume, item.centre_lps)
    return float(np.linalg.norm(long[1] - long[0]))


def list_record(pair: LesionPair, carried: Carried, random: np.random.Generator) -> dict[str, Any]:
    """How the lists of both dates are paired, by numbers of lesions."""
    before = sizes(np.array([true_length_mm(item, pair.baseline) for item in pair.before]))
    lengths = np.array([true_length_mm(item, pair.followup) for item in pair.after])
    after = sizes(lengths * random.normal(1, READER_LENGTH, len(lengths)))
    marked = np.array([item.centre_lps for item in pair.after]) + random.normal(
        0, READER_MM, (len(lengths), 3)
    )
    pairing = assign(pair_costs(carried, before, marked, after), vanish_costs(carried, before))
    joined = merges_and_splits(carried, before, marked, after, pairing)
    new = [n for n in np.flatnonzero(pairing.new).tolist() if n not in joined.split_from]
    said = {row: int(column) for row, column in enumerate(pairing.rows) if column >= 0}
    # either part of a lesion that split is the lesion, and the other one the part
    second = {pair.joined[item.number]: n for n, item in enumerate(pair.after) if item.number in pair.joined}
    for row, column in said.items():
        if second.get(pair.before[row].number) == column:
            said[row] = pair.true_pairs.get(row, column)
    parts = {second.get(pair.after[n].number, n) for n in joined.split_from}
    return {
        "said": said,
        "true": pair.true_pairs,
        "new_said": new,
        "new": [n for n, item in enumerate(pair.after) if pair.fates[item.number] == "new"],
        "gone": [n for n, item in enumerate(pair.before) if pair.fates[item.number] == "gone"],
        "merged_said": sorted(joined.merged_into),
        "merged": [n for n, item in enumerate(pair.before) if item.number in pair.joined],
        "split_said": sorted(parts),
        "split": sorted(second.values()),
    }


def place_record(pair: LesionPair, carried: Carried) -> list[dict[str, Any]]:
    """Where each lesion that is the same in both scans was carried to, and where it is."""
    return [
        {
            "found": carried.positions_lps[row].tolist(),
            "true": pair.after[column].centre_lps.tolist(),
            "long_mm": true_length_mm(pair.after[column], pair.followup),
            "box_mm": pair.after[column].box_mm.tolist(),
            "kept": pair.fates[pair.before[row].number] == "kept",
            "confidence": float(carried.confidence[row]),
        }
        for row, column in pair.true_pairs.items()
    ]


def diameter_records(pair: LesionPair, carried: Carried) -> Iterator[dict[str, Any]]:
    """What is proposed for each lesion that is kept, and what its diameters are."""
    for row, column in pair.true_pairs.items():
        item, later = pair.before[row], pair.after[column]
        if pair.fates[item.number] != "kept":
            continue
        long, short = (
            Diameter.between(ends) for ends in item.shape.diameters(pair.baseline, item.centre_lps)
        )
        before = Finding(LesionStatus.PRESENT, plain_point(item.centre_lps), long, short)
        look = look_of(pair.baseline, Ellipse.of(long, short))
        found = proposed_finding(pair.followup, before, look, carried, row)
        true = later.shape.diameters(pair.followup, later.centre_lps)
        length_mm, width_mm = (float(np.linalg.norm(ends[1] - ends[0])) for ends in true)
        median, spread = background(pair.followup, later.centre_lps, later.shape.reach_mm + ORGAN_RADIUS_MM)
        yield {
            "long_mm": length_mm,
            "short_mm": width_mm,
            "said_long_mm": found.long and found.long.length_mm,
            "said_short_mm": found.short and found.short.length_mm,
            "carried_long_mm": found.carried_long and found.carried_long.length_mm,
            "note": str(found.note),
            "in_lung": median < -500,
            "contrast": abs(later.contrast_hu) / max(spread, 1e-6),
            "growth": float(later.shape.half_axes_mm[0] / item.shape.half_axes_mm[0]),
            "border_mm": float(pair.followup.distance_to_border_mm(later.centre_lps)),
            "error_mm": float(np.linalg.norm(carried.positions_lps[row] - later.centre_lps)),
        }


def records(args: argparse.Namespace, carriers: dict[str, Carry]) -> Iterator[dict[str, Any]]:
    """One record a scan with lesions in it, chests and abdomens by turns, and one a real pair."""
    sets = [sorted((args.data / "eval" / name).glob("*.nii.gz")) for name in ("chest", "abdomen")]
    scans = [file for pair in zip(*sets, strict=False) for file in pair]
    for number, file in enumerate(scans[: args.scans]):
        pair = lesion_pair(Volume.read(file), args.lesions, np.random.default_rng(1000 + number))
        points = np.array([item.centre_lps for item in pair.before])
        record: dict[str, Any] = {"scan": file.name.split(".")[0], "lesions": len(pair.before), "methods": {}}
        for name, carry in carriers.items():
            started = time.perf_counter()
            carried = carry(pair.baseline, pair.followup, points)
            found = {
                "seconds": time.perf_counter() - started,
                "places": place_record(pair, carried),
                "lists": list_record(pair, carried, np.random.default_rng(number)),
            }
            if name == OWN:
                found["diameters"] = list(diameter_records(pair, carried))
            record["methods"][name] = found
        yield record
    for name in REAL if args.real else ():
        yield real_record(args.data / "eval" / name, carriers)


def real_record(folder: Path, carriers: dict[str, Carry]) -> dict[str, Any]:
    """Errors at the points of a real pair, those of quality 3 left out."""
    volumes = [Volume.read(folder / f"{name}.nii.gz") for name in ("template", "followup")]
    known = [_points(folder / f"{name}.csv") for name in ("template", "followup")]
    labels = [label for label in known[0] if label in known[1]]
    first, second = (np.array([points[label] for label in labels]) for points in known)
    errors = {
        name: np.linalg.norm(carry(*volumes, first).positions_lps - second, axis=1).tolist()
        for name, carry in carriers.items()
    }
    return {"real": folder.name, "errors": errors}


def _points(file: Path) -> dict[str, list[float]]:
    rows = [line.split(",") for line in file.read_text().splitlines()[1:]]
    return {row[0]: [float(value) for value in row[1:4]] for row in rows if row[4] != "3"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--scans", type=int, default=8)
    parser.add_argument("--lesions", type=int, default=25)
    parser.add_argument("--real", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--output", type=Path, default=Path("lesions.md"))
    parser.add_argument("--from", dest="earlier", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.earlier is None:
        args.earlier = args.output.with_suffix(".jsonl")
        for name in args.methods:
            if name != OWN and (missing := why_missing(name)):
                print(f"{name} is left out: {missing}", flush=True)
        args.methods = [name for name in args.methods if name == OWN or not why_missing(name)]
        with tempfile.TemporaryDirectory() as folder, open(args.earlier, "w") as file:
            carriers = {
                name: own_carry(Path(folder)) if name == OWN else other_carry(name) for name in args.methods
            }
            for record in records(args, carriers):
                file.write(json.dumps(record) + "\n")
                file.flush()
                print(record.get("scan") or record["real"], flush=True)
    measured = [json.loads(line) for line in args.earlier.read_text().splitlines()]
    text = tables(measured)
    args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
