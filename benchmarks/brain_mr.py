"""Landmarks of one head carried to others in MR, beside registration: python benchmarks/brain_mr.py DATA [--part NAME ...]

DATA holds nichart23 (T1 and FLAIR of 23 people with the centroids of 17 structures), label-maps and afids-templates, as they
come. Parts: people (56 ordered pairs of the eight people that no model was trained on, from T1 to T1 and to FLAIR, and from T1
to FLAIR of one person), contrasts (images of two fixed contrasts made from the label maps of six people that no model was
trained on), templates (averaged heads with 32 fiducials, one of two warped by a known map), unlike (half a head, one without
its skull, a torso). Prints Markdown tables; errors in mm, seconds of both heads together.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from mr_test_sets import FIXED_CONTRASTS, Head, fiducials, label_head, people, stripped, warped

from SAMLandmarkLib.core.modality import MR_BRAIN
from SAMLandmarkLib.core.results import Status
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.transfer import TransferEngine
from SAMLandmarkLib.evaluation.baselines.affine import mutual_information
from SAMLandmarkLib.evaluation.baselines.registry import TITLES, baseline_named, why_missing
from SAMLandmarkLib.evaluation.baselines.scans import body, itk_image, mapped_points
from SAMLandmarkLib.evaluation.confidence import error_auroc, expected_calibration_error, reliability_table
from SAMLandmarkLib.evaluation.laterality import mirrored_label
from SAMLandmarkLib.evaluation.provenance import describe_run
from SAMLandmarkLib.evaluation.records import best_position
from SAMLandmarkLib.evaluation.synthetic import SyntheticTarget, cropped_target
from SAMLandmarkLib.evaluation.tables import markdown_table
from SAMLandmarkLib.models.registry import bundled_model

TESTED_PEOPLE, TRAINED_PEOPLE = range(16, 24), range(8, 16)
TESTED_MAPS = range(15, 21)
TEMPLATES = ("Colin27", "MNI152Lin_T1", "MNI152NLin6Asym", "PD25")
BASELINES = ("center", "sitk-affine", "convexadam", "ants-syn")
HIT_MM = 6.0
MISPLACED_FLAIR = (15, 20, 23)
"""People whose FLAIR image lies centimetres from where the coordinates of T1 put it: the brain stem of T1 is at the height of
the midbrain, the neck and the thalamus there."""
PARTS = ("people", "contrasts", "templates", "unlike")
Pair = tuple[Head, Head]


@dataclass
class Answers:
    """What was found, of all pairs one after the other."""

    errors: list[np.ndarray] = field(default_factory=list)
    confidences: list[np.ndarray] = field(default_factory=list)
    found: list[np.ndarray] = field(default_factory=list)
    swaps: int = 0
    seconds: float = 0.0

    def add(self, pair: Pair, places: np.ndarray) -> None:
        truth, labels = pair[1].landmarks.positions_lps, pair[1].landmarks.labels
        self.errors.append(np.linalg.norm(places - truth, axis=1))
        for row, label in enumerate(labels):
            other = _other_side(label)
            if other in labels:
                there = truth[labels.index(other)]
                self.swaps += bool(np.linalg.norm(places[row] - there) < self.errors[-1][row])

    def row(self, name: str) -> tuple[str, ...]:
        errors = np.concatenate(self.errors)
        figures = (errors.mean(), np.median(errors), np.percentile(errors, 90))
        return (
            name,
            *(f"{value:.2f}" for value in figures),
            f"{100 * (errors <= HIT_MM).mean():.1f}",
            str(self.swaps),
            f"{self.seconds / max(1, len(self.errors)):.1f}",
        )


def _other_side(label: str) -> str | None:
    for one, two in (("L_", "R_"), ("R_", "L_"), ("left ", "right "), ("right ", "left ")):
        if label.startswith(one):
            return two + label.removeprefix(one)
    return mirrored_label(label)


class Bench:
    """One model, and the ways that its landmarks are compared with."""

    def __init__(self, model: Path | None, profile: str, baselines: Sequence[str], every: int) -> None:
        self.engine = TransferEngine("cpu", model or bundled_model(MR_BRAIN.name), profile=profile)
        self.every = every
        self.baselines = [name for name in baselines if why_missing(name) is None]
        self.embedded = lru_cache(64)(self.engine.embed)

    def own(self, pairs: Sequence[Pair]) -> Answers:
        answers = Answers()
        for template, target in pairs:
            started = time.perf_counter()
            embeddings = self.embedded(template.volume), self.embedded(target.volume)
            result = self.engine.transfer(embeddings[0], template.landmarks, embeddings[1])
            answers.seconds += time.perf_counter() - started
            answers.add((template, target), np.array([best_position(item) for item in result]))
            answers.confidences.append(np.array([item.confidence for item in result]))
            answers.found.append(np.array([item.status is Status.FOUND for item in result]))
        return answers

    def other(self, name: str, pairs: Sequence[Pair]) -> Answers:
        answers, baseline = Answers(), baseline_named(name, same_patient=False)
        for template, target in pairs:
            started = time.perf_counter()
            places = baseline.transfer(template.volume, template.landmarks, target.volume)
            answers.seconds += time.perf_counter() - started
            answers.add((template, target), places)
        return answers

    def tables(self, named: dict[str, list[Pair]]) -> Iterator[str]:
        columns = ("way", "mean", "median", "p90", f"≤ {HIT_MM:g} mm %", "sides swapped", "s a pair")
        for title, pairs in named.items():
            identity = Answers()
            for template, target in pairs:
                identity.add((template, target), template.landmarks.positions_lps)
            own = self.own(pairs)
            rows = [own.row("SAMLandmark"), identity.row("identity")]
            if self.baselines:
                some = pairs[:: self.every]
                rows.append(self.own(some).row(f"SAMLandmark, {len(some)} of the pairs"))
                rows += [self.other(name, some).row(f"{TITLES[name]}, the same") for name in self.baselines]
            yield f"### {title} ({sum(map(len, own.errors))} points)\n\n{markdown_table(columns, rows)}\n"
            yield self._confidence_line(own)

    def _confidence_line(self, answers: Answers) -> str:
        errors, sure = np.concatenate(answers.errors), np.concatenate(answers.confidences)
        found, limit_mm = np.concatenate(answers.found), self.engine.model.metadata.error_limit_mm
        table = reliability_table(sure, errors, limit_mm)
        return (
            f"Confidence that an error is at most {limit_mm:g} mm: AUROC {error_auroc(sure, errors, limit_mm):.2f}, "
            f"expected calibration error {expected_calibration_error(table):.3f}; FOUND {100 * found.mean():.0f} %, of which "
            f"{100 * (errors[found] <= limit_mm).mean():.1f} % are right.\n"
        )


def people_pairs(data: Path, numbers: Sequence[int]) -> dict[str, list[Pair]]:
    heads = [people(data, number) for number in numbers]
    ordered = list(permutations(heads, 2))
    placed = [head for head, number in zip(heads, numbers, strict=True) if number not in MISPLACED_FLAIR]
    return {
        "People, T1 to T1": [(one[0], two[0]) for one, two in ordered],
        "People, T1 to FLAIR of others": [(one[0], two[1]) for one, two in ordered],
        "People, T1 to FLAIR of the same": [(one[0], one[1]) for one in heads],
        "People, T1 to FLAIR in place, of others": [
            (one[0], two[1]) for one, two in ordered if any(two is head for head in placed)
        ],
        "People, T1 to FLAIR in place, of the same": [(one[0], one[1]) for one in placed],
    }


def scanner_lines(data: Path, numbers: Sequence[int]) -> Iterator[str]:
    """How far a rigid registration by mutual information moves each FLAIR image from where its header puts it."""
    for number in numbers:
        first, second = people(data, number)
        points = first.landmarks.positions_lps
        fixed, moving = (itk_image(body(head.volume)) for head in (first, second))
        method, start = mutual_information(), sitk.Euler3DTransform()
        start.SetCenter(points.mean(axis=0).tolist())
        method.SetMetricSamplingPercentage(0.1, 1)
        method.SetOptimizerAsRegularStepGradientDescent(1.0, 0.01, 60)
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetShrinkFactorsPerLevel([2, 1])
        method.SetSmoothingSigmasPerLevel([2, 0])
        method.SetInitialTransform(start, inPlace=True)
        method.Execute(fixed, moving)
        moved = np.linalg.norm(mapped_points(start, points) - points, axis=1).mean()
        yield f"Subj{number:02d} {moved:.1f} mm"


def contrast_pairs(data: Path) -> dict[str, list[Pair]]:
    first, second = (
        [label_head(data, number, means) for number in TESTED_MAPS] for means in FIXED_CONTRASTS.values()
    )
    ordered = list(permutations(range(len(first)), 2))
    one, two = FIXED_CONTRASTS
    return {
        f"Label maps, {one} to {one}": [(first[a], first[b]) for a, b in ordered],
        f"Label maps, {one} to {two}": [(first[a], second[b]) for a, b in ordered],
    }


def template_pairs(data: Path) -> dict[str, list[Pair]]:
    heads = {name: fiducials(data, name) for name in TEMPLATES}
    moved = {name: warped(head, seed) for seed, (name, head) in enumerate(heads.items())}
    lin = {name: fiducials(data, f"MNI152Lin_{name}") for name in ("T1", "T2", "PD")}
    return {
        "Averaged heads as they are": [(heads[a], heads[b]) for a, b in permutations(heads, 2)],
        "Averaged heads, one warped": [(heads[a], moved[b]) for a, b in permutations(heads, 2)],
        "MNI152Lin, T1 to T2 and PD": [(lin["T1"], lin["T2"]), (lin["T1"], lin["PD"])],
        "MNI152Lin, T1 to T2 and PD, warped": [(lin["T1"], warped(lin[name], 7)) for name in ("T2", "PD")],
    }


def unlike_rows(bench: Bench, data: Path, torso: Path | None) -> list[tuple[str, ...]]:
    """How often FOUND is said, and how often wrongly, of what is no whole head."""
    template = people(data, TESTED_PEOPLE[0])[0]
    rng, limit_mm = np.random.default_rng(0), bench.engine.model.metadata.error_limit_mm
    cases: dict[str, list[Head]] = {"whole head": [], "half a head": [], "without its skull": []}
    for number in TESTED_PEOPLE[1:]:
        head = people(data, number)[0]
        whole = SyntheticTarget(head.volume, head.landmarks.positions_lps)
        cases["whole head"].append(head)
        cases["half a head"].append(Head(cropped_target(whole, rng).volume, head.landmarks))
        cases["without its skull"].append(stripped(data, number))
    if torso is not None:
        volume = Volume.read(torso)
        # no MR of a body is at hand: its densities, with dark air and bone, stand in for one
        grey = np.clip(np.where(volume.array > 250, 0, volume.array + 200), 0, 500).astype(np.float32)
        body = Volume(grey, volume.ijk_to_lps, "torso", modality=MR_BRAIN)
        cases["a torso"] = [Head(body, template.landmarks)]
    rows = []
    for name, heads in cases.items():
        answers = bench.own([(template, head) for head in heads])
        found, errors = np.concatenate(answers.found), np.concatenate(answers.errors)
        seen = np.concatenate([head.volume.contains_lps(head.landmarks.positions_lps) for head in heads])
        wrong = found & ((errors > limit_mm) | ~seen | (name == "a torso"))
        rows.append((name, str(len(found)), f"{100 * found.mean():.0f}", f"{100 * wrong.mean():.1f}"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--profile", default="accurate")
    parser.add_argument("--pairs", type=int, help="At most about so many pairs of a set, spread evenly.")
    parser.add_argument("--title", default="", help="Only sets whose titles contain this.")
    parser.add_argument(
        "--every", type=int, default=4, help="Of the pairs, every how manieth the baselines get."
    )
    parser.add_argument("--part", action="append", dest="parts", choices=PARTS)
    parser.add_argument("--baseline", action="append", dest="baselines", choices=BASELINES)
    parser.add_argument(
        "--training-people", action="store_true", help="To choose options with, not to report."
    )
    parser.add_argument("--torso", type=Path, help="A CT volume of a trunk, for the part 'unlike'.")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(arguments.threads)
    bench = Bench(arguments.model, arguments.profile, arguments.baselines or (), arguments.every)
    parts = arguments.parts or PARTS
    numbers = TRAINED_PEOPLE if arguments.training_people else TESTED_PEOPLE
    pairs_of = {
        "people": lambda: people_pairs(arguments.data, numbers),
        "contrasts": lambda: contrast_pairs(arguments.data),
        "templates": lambda: template_pairs(arguments.data),
    }
    if "people" in parts:
        moved = "; ".join(scanner_lines(arguments.data, numbers))
        print(f"By rigid registration FLAIR lies off T1 by: {moved}.\n", flush=True)
    for part in parts:
        if part == "unlike":
            columns = ("target", "points", "FOUND %", "FOUND and wrong %")
            print(markdown_table(columns, unlike_rows(bench, arguments.data, arguments.torso)), "\n")
            continue
        chosen = {title: pairs for title, pairs in pairs_of[part]().items() if arguments.title in title}
        if arguments.pairs:
            chosen = {
                title: pairs[:: max(1, len(pairs) // arguments.pairs)] for title, pairs in chosen.items()
            }
        for text in bench.tables(chosen):
            print(text, flush=True)
    print(json.dumps(describe_run()))


if __name__ == "__main__":
    main()
