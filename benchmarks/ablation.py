"""What each part of the matching is worth: python benchmarks/ablation.py DATA [--set NAME ...] [--pairs N]

DATA is a folder of test sets as for `samlandmark evaluate`. Every way of matching runs on the same embeddings, on at most
N pairs of a set, spread evenly. Prints one row a way and set: mean, median and 90th percentile of the error in mm, and
the share of landmarks within 10 mm.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

import numpy as np

from SAMLandmarkLib import TransferEngine, Volume
from SAMLandmarkLib.embedding.embedding import Embedding
from SAMLandmarkLib.evaluation.provenance import describe_run
from SAMLandmarkLib.evaluation.sets import (
    WORST_SCORED_QUALITY,
    AnnotatedVolume,
    EvaluationSet,
    find_evaluation_sets,
)
from SAMLandmarkLib.evaluation.tables import markdown_table
from SAMLandmarkLib.geometry import transform_points
from SAMLandmarkLib.matching import pair, refinement
from SAMLandmarkLib.matching.fusion import Fused
from SAMLandmarkLib.matching.pair import ExtraTemplate, PairMatcher
from SAMLandmarkLib.matching.queries import PROFILES, Queries
from SAMLandmarkLib.matching.refinement import refine
from SAMLandmarkLib.matching.search import search

FAST, ACCURATE = PROFILES["fast"], PROFILES["accurate"]
FEWER_ANCHORS = 500
NEIGHBORS_MM = 12.0
VIEWS = ((0.93, 0.0), (1.07, 0.0), (1.0, 7.0), (1.0, -7.0))
"""Scale and rotation about the long axis, in degrees, of further views of the template."""


class Bench:
    """One model and the embeddings of the scans that were used last."""

    def __init__(self, model: Path | None) -> None:
        self.engine = TransferEngine(device="cpu", model=model)
        self.embedding = lru_cache(12)(lambda path: self.engine.embed(Volume.read(path)))
        self._queries: dict[tuple[Path, tuple[float, float]], Queries] = {}

    def view_queries(self, scan: AnnotatedVolume, view: tuple[float, float]) -> Queries:
        """The vectors of a scan's landmarks in a scaled and turned copy of it, computed once."""
        key = (scan.path, view)
        if key not in self._queries:
            self._queries[key] = self._computed(scan, view)
        return self._queries[key]

    def _computed(self, scan: AnnotatedVolume, view: tuple[float, float]) -> Queries:
        volume = Volume.read(scan.path)
        moved_from_lps = turned(volume, *view)
        copy = Volume(volume.array, moved_from_lps @ volume.ijk_to_lps, volume.name)
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
        self.matcher = PairMatcher(self.template, self.target, ACCURATE)
        self.others: list[tuple[Embedding, np.ndarray]] = []

    def match(self, **changes) -> np.ndarray:
        return self.matcher.with_settings(replace(ACCURATE, **changes)).match(self.points).matches.best_lps

    def fast(self, **changes) -> np.ndarray:
        return self.match(refine=False, **changes)

    def not_drawn(self) -> np.ndarray:
        with patch.object(
            pair, "fused", lambda matched_lps, uncertainty_mm, _: Fused(matched_lps, uncertainty_mm)
        ):
            return self.match()

    def not_aligned(self) -> np.ndarray:
        with patch.object(refinement, "WORTH_ALIGNING", np.inf):
            return self.match()

    def predicted(self) -> np.ndarray:
        prediction = self.matcher.predict(self.points)
        return self.fast() if prediction is None else prediction.positions_lps

    def with_fewer_anchors(self) -> np.ndarray:
        fewer = replace(self.template, anchors_lps=self.template.anchors_lps[:FEWER_ANCHORS])
        return PairMatcher(fewer, self.target, ACCURATE).match(self.points).matches.best_lps

    def without_correspondences(self) -> np.ndarray:
        return search(Queries.at(self.template, self.points), self.target, FAST).best_lps

    def refined_whatever_the_cycle(self) -> np.ndarray:
        return refine(self.template.image, self.points, self.target.image, self.fast()).positions_lps

    def candidates_ranked_by_likeness(self) -> np.ndarray:
        found = self.matcher.with_settings(FAST).match(self.points).matches
        tries = [
            refine(self.template.image, self.points, self.target.image, found.positions_lps[:, number])
            for number in range(found.positions_lps.shape[1])
        ]
        score = found.score + 0.4 * np.column_stack([each.likeness for each in tries])
        best = score.argmax(axis=1)
        return np.stack([each.positions_lps for each in tries], axis=1)[np.arange(len(best)), best]

    def voted_by_neighbors(self) -> np.ndarray:
        steps = np.random.default_rng(0).normal(size=(12, 3))
        steps *= NEIGHBORS_MM / np.linalg.norm(steps, axis=1, keepdims=True)
        around = (self.points[:, None] + steps).reshape(-1, 3)
        prediction = self.matcher.predict(around)
        found = search(Queries.at(self.template, around), self.target, FAST.quick, prediction).best_lps
        return self.points + np.median((found - around).reshape(len(self.points), -1, 3), axis=1)

    def views_averaged(self) -> np.ndarray:
        rows = np.array([self.scan.landmarks.labels.index(label) for label in self.labels])
        queries = Queries.at(self.template, self.points)
        for view in VIEWS:
            seen = self.bench.view_queries(self.scan, view)
            every = np.ones(len(rows), dtype=bool)
            queries = queries.added(Queries(seen.fine[rows], seen.coarse[rows]), every)
        return search(queries, self.target, FAST, self.matcher.predict(self.points)).best_lps

    def with_other_templates(self) -> np.ndarray:
        extra = [
            ExtraTemplate(PairMatcher(scan, self.target, ACCURATE), points) for scan, points in self.others
        ]
        return self.matcher.match(self.points, extra).matches.best_lps


WAYS: dict[str, Callable[[Task], np.ndarray]] = {
    "accurate (as shipped)": Task.match,
    "not drawn to the prediction": Task.not_drawn,
    "the prediction alone": Task.predicted,
    "not aligned": Task.not_aligned,
    f"correspondences from {FEWER_ANCHORS} points": Task.with_fewer_anchors,
    "fast: not refined by the images": Task.fast,
    "refined whatever the cycle says": Task.refined_whatever_the_cycle,
    "fast, coarse weight 0.4 (not 0.7)": lambda task: task.fast(coarse_weight=0.4),
    "fast, coarse weight 1.0": lambda task: task.fast(coarse_weight=1.0),
    "fast, no prediction by correspondences": Task.without_correspondences,
    "fast, prediction weight 0.05 (not 0.02)": lambda task: task.fast(prediction_weight=0.05),
    "fast, twelve neighbors vote": Task.voted_by_neighbors,
    "fast, four more views of the template": Task.views_averaged,
    "all candidates refined, likeness ranks them": Task.candidates_ranked_by_likeness,
    "accurate, the other patients as templates too": Task.with_other_templates,
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
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    bench = Bench(arguments.model)
    rows = []
    for evaluation_set in find_evaluation_sets(arguments.data, arguments.sets):
        tasks = tasks_of(bench, evaluation_set, arguments.pairs)
        for name, way in WAYS.items():
            errors = np.concatenate([np.linalg.norm(way(task) - task.truth, axis=1) for task in tasks])
            figures = (errors.mean(), np.median(errors), np.percentile(errors, 90))
            share = f"{100 * np.mean(errors <= 10):.0f}"
            rows.append((evaluation_set.name, name, *(f"{value:.2f}" for value in figures), share))
    print(markdown_table(("set", "way", "mean mm", "median mm", "p90 mm", "≤ 10 mm %"), rows))
    print(json.dumps(describe_run()))


if __name__ == "__main__":
    main()
