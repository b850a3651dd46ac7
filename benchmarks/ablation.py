"""What each part of the matching is worth: python benchmarks/ablation.py DATA [--set NAME ...] [--pairs N]

DATA is a folder of test sets as for `samlandmark evaluate`. Every way of matching, which is a change of options or of
stages, runs on the same embeddings, on at most N pairs of a set, spread evenly. Prints one row a way and set: mean,
median and 90th percentile of the error in mm, and the share of landmarks within 10 mm.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from SAMLandmarkLib import TransferEngine, Volume
from SAMLandmarkLib.core.geometry import transform_points
from SAMLandmarkLib.core.matching_options import MatchingOptions
from SAMLandmarkLib.embedding.embedding import Embedding
from SAMLandmarkLib.evaluation.provenance import describe_run
from SAMLandmarkLib.evaluation.sets import (
    WORST_SCORED_QUALITY,
    AnnotatedVolume,
    EvaluationSet,
    find_evaluation_sets,
)
from SAMLandmarkLib.evaluation.tables import markdown_table
from SAMLandmarkLib.matching.pair import PairMatcher
from SAMLandmarkLib.matching.pipeline import PIPELINE
from SAMLandmarkLib.matching.refinement import refine
from SAMLandmarkLib.matching.search import search
from SAMLandmarkLib.matching.stages.find import find
from SAMLandmarkLib.matching.stages.predict import predict
from SAMLandmarkLib.matching.stages.refine_by_images import refine_by_images
from SAMLandmarkLib.matching.state import MatchState, PairContext, Stage, needed
from SAMLandmarkLib.matching.types import Queries
from SAMLandmarkLib.matching.voting import voted

FEWER_SUPPORT_POINTS = 500
NEIGHBORS_MM = 12.0
NCC_WEIGHT = 0.4
VIEWS = ((0.93, 0.0), (1.07, 0.0), (1.0, 7.0), (1.0, -7.0))
"""Scale and rotation about the long axis, in degrees, of further views of the template."""


class Bench:
    """One model and the embeddings of the scans that were used last."""

    def __init__(self, model: Path | None) -> None:
        self.engine = TransferEngine(device="cpu", model=model)
        self.embedding = lru_cache(12)(lambda path: self.engine.embed(self.engine.read(path)))
        self._queries: dict[tuple[Path, tuple[float, float]], Queries] = {}

    def view_queries(self, scan: AnnotatedVolume, view: tuple[float, float]) -> Queries:
        """The vectors of a scan's landmarks in a scaled and turned copy of it, computed once."""
        key = (scan.path, view)
        if key not in self._queries:
            self._queries[key] = self._computed(scan, view)
        return self._queries[key]

    def _computed(self, scan: AnnotatedVolume, view: tuple[float, float]) -> Queries:
        volume = self.engine.read(scan.path)
        moved_from_lps = turned(volume, *view)
        copy = replace(volume, ijk_to_lps=moved_from_lps @ volume.ijk_to_lps)
        return Queries.at(
            self.engine.embed(copy), transform_points(moved_from_lps, scan.landmarks.positions_lps)
        )


def turned(volume: Volume, scale: float, degrees: float) -> np.ndarray:
    """4x4 map that scales and turns about the volume's middle."""
    angle, middle = np.deg2rad(degrees), volume.lps_from_index((np.array(volume.size_ijk) - 1) / 2)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, :3] *= scale
    matrix[:3, 3] = middle - matrix[:3, :3] @ middle
    return matrix


class Task:
    """One pair of a test set and its scored landmarks."""

    def __init__(
        self, bench: Bench, template: AnnotatedVolume, target: AnnotatedVolume, labels: list[str]
    ) -> None:
        self.bench, self.scan, self.labels = bench, template, labels
        self.points = np.array([template.position_of[label] for label in labels])
        self.truth = np.array([target.position_of[label] for label in labels])
        self.template, self.target = bench.embedding(template.path), bench.embedding(target.path)
        self.matcher = PairMatcher(self.template, self.target, bench.engine.options)
        self.others: list[tuple[Embedding, np.ndarray]] = []

    def match(self, way: Way) -> np.ndarray:
        """Where a way of matching finds the landmarks, `(n,3)`."""
        options = self.bench.engine.options.changed(**way.options)
        stages = tuple(stage.of(self) if isinstance(stage, OfTask) else stage for stage in way.stages)
        if way.own_correspondences:
            matcher = PairMatcher(self.template, self.target, options, stages)
        else:
            matcher = self.matcher.with_options(options, stages)
        if way.other_templates:
            return self._voted(options)
        return matcher.match(self.points).matches.best_lps

    def _voted(self, options: MatchingOptions) -> np.ndarray:
        """The vote of this template and the others; each answers for the landmarks that it shows."""
        calibration, answers = self.bench.engine.calibration, [[] for _ in self.labels]
        for scan, points in ((self.template, self.points), *self.others):
            shown = np.flatnonzero(np.isfinite(points).all(axis=1))
            matcher = PairMatcher(scan, self.target, options)
            labels = [self.labels[row] for row in shown]
            for row, answer in zip(shown, matcher.decide(labels, points[shown], calibration), strict=True):
                answers[row].append(answer)
        voters = [voted(given, calibration, options.voting) for given in answers]
        return np.array([answer.candidates[0].position_lps for answer in voters])


@dataclass(frozen=True)
class Way:
    """A way of matching: options that differ from those of the accurate profile, by group, and the stages."""

    options: dict[str, dict[str, Any]]
    stages: tuple[Stage | OfTask, ...] = PIPELINE
    own_correspondences: bool = False
    other_templates: bool = False


@dataclass(frozen=True)
class OfTask:
    """A stage that needs more than a pair: the further views of a task's template."""

    def of(self, task: Task) -> Stage:
        """The stage for one task: queries averaged over the views."""
        rows = np.array([task.scan.landmarks.labels.index(label) for label in task.labels])
        queries = Queries.at(task.template, task.points)
        for view in VIEWS:
            seen = task.bench.view_queries(task.scan, view)
            queries = queries.added(seen.at_rows(rows), np.ones(len(rows), dtype=bool))
        return lambda state, context, options: replace(state, queries=queries)


def take_prediction(state: MatchState, context: PairContext, options: MatchingOptions) -> MatchState:
    """Stage: the prediction alone, where there is one."""
    if state.prediction is None:
        return state
    return replace(state, matches=needed(state.matches, "search").with_best(state.prediction.positions_lps))


def rank_by_ncc(state: MatchState, context: PairContext, options: MatchingOptions) -> MatchState:
    """Stage: all candidates refined, the best by score and NCC."""
    matches, images = needed(state.matches, "search"), (context.template.image, context.target.image)
    tries = [
        refine(images[0], state.points_lps, images[1], matches.positions_lps[:, number], options)
        for number in range(matches.positions_lps.shape[1])
    ]
    score = matches.score + NCC_WEIGHT * np.column_stack([each.ncc for each in tries])
    best = score.argmax(axis=1)
    positions = np.stack([each.positions_lps for each in tries], axis=1)[np.arange(len(best)), best]
    return replace(state, matches=matches.with_best(positions))


def let_neighbors_vote(state: MatchState, context: PairContext, options: MatchingOptions) -> MatchState:
    """Stage: the median shift of twelve points around each landmark."""
    steps = np.random.default_rng(0).normal(size=(12, 3))
    steps *= NEIGHBORS_MM / np.linalg.norm(steps, axis=1, keepdims=True)
    around = (state.points_lps[:, None] + steps).reshape(-1, 3)
    queries, prediction = Queries.at(context.template, around), context.predict(around)
    found = search(queries, context.target, options.quick.search, prediction).best_lps
    shifts = (found - around).reshape(len(state.points_lps), -1, 3)
    voted = state.points_lps + np.median(shifts, axis=1)
    return replace(state, matches=needed(state.matches, "search").with_best(voted))


def after(stage: Stage, new: Stage | OfTask) -> tuple[Stage | OfTask, ...]:
    """The pipeline with a stage put in behind another."""
    place = PIPELINE.index(stage) + 1
    return (*PIPELINE[:place], new, *PIPELINE[place:])


OFF = {"enabled": False}
FAST: dict[str, dict[str, Any]] = {"refinement": OFF}
UNFUSED: dict[str, dict[str, Any]] = {"refinement": OFF, "fusion": OFF}
WAYS: dict[str, Way] = {
    "accurate (as shipped)": Way({}),
    "not fused with the prediction": Way({"fusion": OFF}),
    "the prediction alone": Way(UNFUSED, after(find, take_prediction)),
    "not aligned": Way({"alignment": OFF}),
    "no ends of organs": Way({"organ_ends": OFF}),
    f"correspondences from {FEWER_SUPPORT_POINTS} points": Way(
        {"prediction": {"support_points": FEWER_SUPPORT_POINTS}}, own_correspondences=True
    ),
    "fast: not refined by the images": Way(FAST),
    "refined whatever the cycle says, not fused": Way(
        {"refinement": {"cycle_tolerance_mm": 1e6}, "fusion": OFF}
    ),
    "fast, coarse weight 0.4 (not 0.7)": Way({**FAST, "search": {"coarse_weight": 0.4}}),
    "fast, coarse weight 1.0": Way({**FAST, "search": {"coarse_weight": 1.0}}),
    "fast, no prediction by correspondences": Way({**FAST, "prediction": OFF}),
    "fast, prediction weight 0.05 (not 0.02)": Way({**FAST, "search": {"prediction_weight": 0.05}}),
    "fast, twelve neighbors vote": Way(UNFUSED, after(find, let_neighbors_vote)),
    "fast, four more views of the template": Way(UNFUSED, after(predict, OfTask())),
    "all candidates refined, ncc ranks them": Way(
        {"fusion": OFF}, tuple(rank_by_ncc if stage is refine_by_images else stage for stage in PIPELINE)
    ),
    "accurate, the other patients as templates too": Way({}, other_templates=True),
}


def tasks_of(bench: Bench, evaluation_set: EvaluationSet, most_pairs: int) -> list[Task]:
    scans = {scan.path: scan for each in evaluation_set.pairs for scan in (each.template, each.target)}
    tasks = []
    for each in evaluation_set.pairs[:: -(-len(evaluation_set.pairs) // most_pairs)]:
        labels = [label for label in each.labels if each.quality(label) <= WORST_SCORED_QUALITY]
        if labels:
            task = Task(bench, each.template, each.target, labels)
            others = [
                scan for path, scan in scans.items() if path not in (each.template.path, each.target.path)
            ]
            nowhere = np.full(3, np.nan)
            task.others = [
                (
                    bench.embedding(scan.path),
                    np.array([scan.position_of.get(label, nowhere) for label in labels]),
                )
                for scan in others[:3]
            ]
            tasks.append(task)
    return tasks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="sets")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument(
        "--way", action="append", choices=WAYS, dest="ways", help="only this one; may be given again"
    )
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    bench = Bench(arguments.model)
    rows = []
    for evaluation_set in find_evaluation_sets(arguments.data, arguments.sets):
        tasks = tasks_of(bench, evaluation_set, arguments.pairs)
        for name in arguments.ways or WAYS:
            errors = np.concatenate(
                [np.linalg.norm(task.match(WAYS[name]) - task.truth, axis=1) for task in tasks]
            )
            figures = (errors.mean(), np.median(errors), np.percentile(errors, 90))
            share = f"{100 * np.mean(errors <= 10):.0f}"
            rows.append((evaluation_set.name, name, *(f"{value:.2f}" for value in figures), share))
    print(markdown_table(("set", "way", "mean mm", "median mm", "p90 mm", "≤ 10 mm %"), rows))
    print(json.dumps(describe_run()))


if __name__ == "__main__":
    main()
