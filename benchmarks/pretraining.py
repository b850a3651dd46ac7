"""What pretext tasks bring for a segmentation with few labelled subjects, beside a network that begins with nothing.

    python benchmarks/pretraining.py DATA --output FOLDER [--reduced] [--structure LV] [--labelled 1 2 4 8 26]
        [--arms scratch ...] [--draws 3] [--seeds 2] [--steps 300] [--pretrain-steps 2000] [--lines EXAMS]

DATA is a folder of short-axis stacks with masks and `subjects.csv`, as `chla64`: `SUBJECT_LV_ED.nii.gz`,
`SUBJECT_LV_ED_mask.nii.gz`, and the columns `subject` and `split` (train, test). Every arm has the same network for slices,
the same steps and the same augmentation; they differ in the weights that it begins with:

- `scratch`: random ones; `scratch-3x`: the same, three times the steps
- `location`, `lines`, `both`, `contrastive`: a run of `samlandmark pretrain`. Locations and contrast are learnt from the
  training subjects' pictures, lines from the exams in --lines, such as those of `samlandmark planes`
- `autoencoder`: the training subjects' pictures with hidden boxes, to be painted as they were

For each number of labelled subjects the learning rate of `scratch` is chosen from --rates on a training subject that is not
among the labelled ones; the others take the same one. Every result is appended to FOLDER/results.jsonl as soon as it is there;
the same command goes on where it was stopped, and writes FOLDER/table.md when all of them are there. --reduced: 2 and 26
labelled subjects, three arms, one draw, one seed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import few_labels
import numpy as np
from few_labels import measured, new_network, paint, read_subject, split_of, train

from SAMLandmarkLib.models.encoder import EmbeddingEncoder
from SAMLandmarkLib.training.pretrain_command import ENCODER_NAME, PretrainRequest, run_pretraining

PRETEXT = ("location", "lines", "both", "contrastive")
ARMS = ("scratch", "scratch-3x", *PRETEXT, "autoencoder")
REDUCED = {"labelled": [2, 26], "arms": ["scratch", "location", "contrastive"], "draws": 1, "seeds": 1}
RESAMPLES = 2000


class Grid:
    """All runs of the grid; what has been done already is read from the results and not done again."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.folder: Path = arguments.output
        self.folder.mkdir(parents=True, exist_ok=True)
        split = split_of(arguments.data)
        self.train_names, test_names = split["train"], split["test"][: arguments.tests or None]
        names = [*self.train_names, *test_names]
        self.subjects = {name: read_subject(arguments.data, name, arguments.structure) for name in names}
        self.test = [self.subjects[name] for name in test_names]
        self.results = self.folder / "results.jsonl"

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

    def start(self, arm: str) -> EmbeddingEncoder:
        """The network that an arm begins with, always in the same random state where it begins with nothing."""
        if arm in PRETEXT:
            return EmbeddingEncoder.load(self.pretrained(arm))
        fresh = new_network()
        if arm == "autoencoder":
            path = self.folder / "runs" / arm / ENCODER_NAME
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                pictures = [s for name in self.train_names for s in self.subjects[name].slices]
                paint(fresh, pictures, self.arguments.pretrain_steps).save(path)
            return EmbeddingEncoder.load(path)
        return fresh

    def pretrained(self, arm: str) -> Path:
        """The encoder of a run of the arm's pretext task, which is trained where it is missing, and gone on with."""
        run = self.folder / "runs" / arm
        if (run / ENCODER_NAME).exists():
            return run / ENCODER_NAME
        if arm in ("lines", "both") and self.arguments.lines is None:
            raise SystemExit(f"The arm {arm} needs exams with several planes: --lines EXAMS.")
        data = self.arguments.lines if arm in ("lines", "both") else self.pictures()
        resume = (run / "checkpoint.pt").exists()
        return run_pretraining(
            PretrainRequest(
                arm,
                data,
                run,
                self.arguments.pretrain_steps,
                resume,
                hold_out=0,
                level=few_labels.LEVEL,
            ),
            print,
        )

    def pictures(self) -> Path:
        """A folder with the training subjects' pictures alone: no mask, no test subject."""
        folder = self.folder / "pictures"
        folder.mkdir(exist_ok=True)
        for name in self.train_names:
            file = f"{name}_{self.arguments.structure}_ED.nii.gz"
            if not (folder / file).exists():
                shutil.copyfile(self.arguments.data / file, folder / file)
        return folder

    def rate(self, count: int) -> float:
        """The learning rate with which `scratch` does best on a training subject that is not labelled."""
        known = {row["labelled"]: row["rate"] for row in self.rows() if row["kind"] == "rate"}
        if count not in known:
            drawn = self.drawn(count + 1, 0)
            labelled = [self.subjects[name] for name in drawn[:count]]
            # with all of them labelled, the last one is left out of the choice
            labelled, check = (labelled, drawn[count]) if len(drawn) > count else (labelled[:-1], drawn[-1])
            scores = {
                rate: measured(
                    train(self.start("scratch"), labelled, self.arguments.steps, rate, 0),
                    self.subjects[check],
                )["dice"]
                for rate in self.arguments.rates
            }
            known[count] = max(scores, key=lambda rate: scores[rate])
            self.keep(
                {"kind": "rate", "labelled": count, "rate": known[count], "scores": list(scores.items())}
            )
        return known[count]

    def cells(self) -> Iterator[tuple[str, int, int, int]]:
        arguments = self.arguments
        for count in arguments.labelled:
            for draw in range(arguments.draws if count < len(self.train_names) else 1):
                for seed in range(arguments.seeds):
                    for arm in arguments.arms:
                        yield arm, count, draw, seed

    def run(self) -> None:
        done = {tuple(row["cell"]) for row in self.rows() if row["kind"] == "run"}
        for cell in self.cells():
            if cell in done:
                continue
            arm, count, draw, seed = cell
            rate = self.rate(count)
            steps = self.arguments.steps * (3 if arm == "scratch-3x" else 1)
            labelled = [self.subjects[name] for name in self.drawn(count, draw)]
            network = train(self.start(arm), labelled, steps, rate, 1000 * draw + seed)
            tests = {subject.name: measured(network, subject) for subject in self.test}
            dice = round(float(np.mean([row["dice"] for row in tests.values()])), 2)
            self.keep(
                {"kind": "run", "cell": cell, "rate": rate, "steps": steps, "dice": dice, "tests": tests}
            )

    def table(self) -> str:
        """Mean Dice and HD95 by arm and number, and the gain over `scratch` with its paired bootstrap interval."""
        runs = [row for row in self.rows() if row["kind"] == "run"]
        lines = [
            "| labelled | arm | Dice % | HD95 mm | Dice above scratch (95 % interval) |",
            "|---|---|---|---|---|",
        ]
        for count in self.arguments.labelled:
            scores = {arm: self._scores(runs, arm, count) for arm in self.arguments.arms}
            for arm, (dice, distance) in scores.items():
                gain = (
                    "" if arm == "scratch" or "scratch" not in scores else gained(dice, scores["scratch"][0])
                )
                lines.append(f"| {count} | {arm} | {dice.mean():.1f} | {np.nanmean(distance):.1f} | {gain} |")
        return "\n".join(lines) + "\n"

    def _scores(self, runs: list[dict], arm: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Dice and HD95 `[runs, subjects]`."""
        chosen = [row["tests"] for row in runs if row["cell"][0] == arm and row["cell"][1] == count]
        names = [subject.name for subject in self.test]
        dice, distance = (
            np.array([[tests[name][key] for name in names] for tests in chosen])
            for key in ("dice", "hd95_mm")
        )
        return dice, distance


def gained(dice: np.ndarray, scratch: np.ndarray) -> str:
    """The mean difference and its interval, over subjects and runs drawn with replacement, the same for both arms."""
    difference = dice - scratch
    rng = np.random.default_rng(0)
    runs, subjects = difference.shape
    means = [
        difference[rng.integers(runs, size=runs)][:, rng.integers(subjects, size=subjects)].mean()
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{difference.mean():+.1f} ({low:+.1f} to {high:+.1f})"


def arguments_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--structure", default="LV")
    parser.add_argument("--labelled", type=int, nargs="+", default=[1, 2, 4, 8, 26])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--pretrain-steps", type=int, default=2000)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-3, 3e-3, 1e-2])
    parser.add_argument("--lines", type=Path)
    parser.add_argument("--tests", type=int, default=0, help="only so many test subjects; 0: all")
    parser.add_argument("--reduced", action="store_true")
    arguments = parser.parse_args(words)
    for name, value in REDUCED.items() if arguments.reduced else ():
        setattr(arguments, name, value)
    return arguments


def main(words: Sequence[str] | None = None) -> None:
    grid = Grid(arguments_of(words))
    grid.run()
    table = grid.table()
    (grid.folder / "table.md").write_text(table, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
