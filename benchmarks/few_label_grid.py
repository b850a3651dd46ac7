"""A grid of segmentations learnt from few labelled subjects: what is run, kept, gone on with, and told in a table."""

from __future__ import annotations

import argparse
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

SCRATCH, SCRATCH_3X = "scratch", "scratch-3x"
RESAMPLES = 2000


class Grid(ABC):
    """All runs of a grid; what has been done already is read from the results and not done again.

    `train_names`: subjects to be labelled; `tests`: names of what is measured, by the group of the table that they are in.
    """

    def __init__(
        self, arguments: argparse.Namespace, train_names: Sequence[str], tests: Mapping[str, Sequence[str]]
    ) -> None:
        self.arguments = arguments
        self.folder: Path = arguments.output
        self.folder.mkdir(parents=True, exist_ok=True)
        self.train_names, self.tests = list(train_names), tests
        if max(arguments.labelled) > len(self.train_names) or len(self.train_names) < 2:
            raise SystemExit(
                f"{max(arguments.labelled)} labelled subjects were asked for; there are {len(self.train_names)} to be labelled, "
                "and two are needed at least. Give fewer (--labelled)."
            )
        self.results = self.folder / "results.jsonl"

    @abstractmethod
    def trained(self, arm: str, labelled: Sequence[str], steps: int, rate: float, seed: int):
        """The network of an arm after so many steps on the labelled subjects."""

    @abstractmethod
    def measured(self, network, name: str) -> dict[str, float]:
        """`dice` in per cent and `hd95_mm` of a subject, NaN where it has none."""

    def rows(self) -> list[dict]:
        if not self.results.exists():
            return []
        return [json.loads(line) for line in self.results.read_text(encoding="utf-8").splitlines()]

    def keep(self, row: dict) -> None:
        with self.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        print(json.dumps({name: value for name, value in row.items() if name != "tests"}), flush=True)

    def drawn(self, count: int, draw: int) -> list[str]:
        """The labelled subjects of a draw; draws of few are part of those of many."""
        return list(np.random.default_rng(draw).permutation(self.train_names)[:count])

    def rate(self, count: int) -> float:
        """The learning rate with which `scratch` does best on a training subject that is not labelled; the only one there is."""
        if len(self.arguments.rates) == 1:
            (only,) = self.arguments.rates
            return float(only)
        known = {row["labelled"]: row["rate"] for row in self.rows() if row["kind"] == "rate"}
        if count not in known:
            drawn = self.drawn(count + 1, 0)
            # with all of them labelled, the last one is left out of the choice
            labelled, check = (drawn[:count], drawn[count]) if len(drawn) > count else (drawn[:-1], drawn[-1])
            scores = {}
            for rate in self.arguments.rates:
                network = self.trained(SCRATCH, labelled, self.arguments.steps, rate, 0)
                scores[rate] = self.measured(network, check)["dice"]
            known[count] = max(scores, key=lambda rate: scores[rate])
            self.keep(
                {"kind": "rate", "labelled": count, "rate": known[count], "scores": list(scores.items())}
            )
        return known[count]

    def cells(self) -> Iterator[tuple[str, int, int, int]]:
        """Arm, number of labelled subjects, draw, seed; every draw of all arms before the next, so that a part is fair."""
        arguments = self.arguments
        for count in arguments.labelled:
            for draw in range(arguments.draws if count < len(self.train_names) else 1):
                for seed in range(arguments.seeds):
                    for arm in arguments.arms:
                        yield arm, count, draw, seed

    def run(self) -> None:
        done = {tuple(row["cell"]): row for row in self.rows() if row["kind"] == "run"}
        for cell in self.cells():
            if cell in done:
                self._require_alike(done[cell])
            else:
                self._run(*cell)

    def _steps(self, arm: str) -> int:
        steps: int = self.arguments.steps
        return 3 * steps if arm == SCRATCH_3X else steps

    def _require_alike(self, row: Mapping) -> None:
        """Results of other settings are not to be mixed with those that are asked for."""
        names = {name for names in self.tests.values() for name in names}
        if row["steps"] != self._steps(row["cell"][0]) or not names <= set(row["tests"]):
            raise SystemExit(
                f"{self.results} has the run {row['cell']} with {row['steps']} steps, measured on {len(row['tests'])} subjects; "
                "go on with the same --steps and the same tests, or name another --output."
            )

    def _run(self, arm: str, count: int, draw: int, seed: int) -> None:
        rate, steps = self.rate(count), self._steps(arm)
        network = self.trained(arm, self.drawn(count, draw), steps, rate, 1000 * draw + seed)
        tests = {name: self.measured(network, name) for names in self.tests.values() for name in names}
        dice = round(float(np.nanmean([row["dice"] for row in tests.values()])), 2)
        cell = (arm, count, draw, seed)
        self.keep({"kind": "run", "cell": cell, "rate": rate, "steps": steps, "dice": dice, "tests": tests})

    def table(self) -> str:
        """Mean Dice and HD95 by group, number and arm, and the gain over `scratch` with its paired bootstrap interval."""
        runs = [row for row in self.rows() if row["kind"] == "run"]
        lines = [
            "| tested on | labelled | arm | runs | Dice % | HD95 mm | Dice above scratch (95 % interval) |",
            "|---|---|---|---|---|---|---|",
        ]
        for group, names in self.tests.items():
            for count in self.arguments.labelled:
                scores = {arm: _scores(runs, arm, count, names) for arm in self.arguments.arms}
                for arm, (dice, distance) in scores.items():
                    alone = arm == SCRATCH or SCRATCH not in scores
                    gain = "" if alone else gained(dice, scores[SCRATCH][0])
                    lines.append(
                        f"| {group} | {count} | {arm} | {len(dice)} | {_mean(dice)} | {_mean(distance)} | {gain} |"
                    )
        return "\n".join(lines) + "\n"

    def finish(self) -> None:
        """Do what is missing, then write and print the table."""
        self.run()
        table = self.table()
        (self.folder / "table.md").write_text(table, encoding="utf-8")
        print(table)


def _mean(values: np.ndarray) -> str:
    """In words; a dash where there is nothing, as the distances of networks that found nothing."""
    known = values[np.isfinite(values)]
    return f"{known.mean():.1f}" if len(known) else "–"


def _scores(
    runs: Sequence[dict], arm: str, count: int, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Dice and HD95 `[runs, subjects]`."""
    chosen = [row["tests"] for row in runs if row["cell"][:2] == [arm, count]]
    dice, distance = (
        np.array([[tests[name][key] for name in names] for tests in chosen]) for key in ("dice", "hd95_mm")
    )
    return dice, distance


def gained(dice: np.ndarray, scratch: np.ndarray) -> str:
    """The mean difference and its interval, over subjects and runs drawn with replacement, the same for both arms."""
    difference = dice - scratch
    rng = np.random.default_rng(0)
    runs, subjects = difference.shape
    means = [
        np.nanmean(difference[rng.integers(runs, size=runs)][:, rng.integers(subjects, size=subjects)])
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{np.nanmean(difference):+.1f} ({low:+.1f} to {high:+.1f})"


def add_grid_options(parser: argparse.ArgumentParser, arms: Sequence[str], rates: Sequence[float]) -> None:
    """The options that all grids have; `rates` are those that scratch may choose from."""
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--labelled", type=int, nargs="+", default=[1, 2, 4, 8, 26])
    parser.add_argument("--arms", nargs="+", choices=arms, default=list(arms))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rates", type=float, nargs="+", default=list(rates))
