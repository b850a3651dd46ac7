"""What pretext tasks bring for a segmentation with few labelled subjects, beside a network that begins with nothing.

    python benchmarks/pretraining.py DATA --output FOLDER [--reduced] [--structure LV] [--labelled 1 2 4 8 26]
        [--arms scratch ...] [--draws 3] [--seeds 2] [--steps 300] [--pretrain-steps 2000] [--lines EXAMS] [--elsewhere FOLDER]

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
labelled subjects, three arms, one draw, one seed. --elsewhere: stacks with contours of another hospital, such as
`sunnybrook5`, that every network is measured on too and none is trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import few_labels
import SimpleITK as sitk
from few_label_grid import SCRATCH, SCRATCH_3X, Grid, add_grid_options
from few_labels import measured, new_network, paint, read_contoured, read_subject, split_of, train

from SAMLandmarkLib.models.encoder import EmbeddingEncoder, SegmentationNetwork
from SAMLandmarkLib.training.pretrain_command import ENCODER_NAME, PretrainRequest, run_pretraining

PRETEXT = ("location", "lines", "both", "contrastive")
ARMS = (SCRATCH, SCRATCH_3X, *PRETEXT, "autoencoder")
BASE_FIRST = {f"Sbj{number}" for number in range(50, 65)}
"""Subjects of chla64 whose stacks lie from base to apex, as their pictures show; the others from apex to base. The files hold
no geometry of the patient, so that nothing else tells it."""
REDUCED = {"labelled": [2, 26], "arms": [SCRATCH, "location", "contrastive"], "draws": 1, "seeds": 1}


def turned_over(stack: sitk.Image) -> sitk.Image:
    """A stack with its slices in the opposite order, on the same grid."""
    turned = sitk.GetImageFromArray(sitk.GetArrayViewFromImage(stack)[::-1])
    turned.CopyInformation(stack)
    return turned


class SliceGrid(Grid):
    """The grid of few labelled short-axis stacks."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        split = split_of(arguments.data)
        tests = {arguments.data.name: split["test"][: arguments.tests or None]}
        names = [*split["train"], *tests[arguments.data.name]]
        self.subjects = {name: read_subject(arguments.data, name, arguments.structure) for name in names}
        if arguments.elsewhere:
            if arguments.structure != "LV":
                raise SystemExit(
                    "Stacks from elsewhere have contours of the left ventricle alone: leave out --structure."
                )
            other = read_contoured(arguments.elsewhere)
            tests[arguments.elsewhere.name] = list(other)
            self.subjects |= other
        super().__init__(arguments, split["train"], tests)

    def trained(
        self, arm: str, labelled: Sequence[str], steps: int, rate: float, seed: int
    ) -> SegmentationNetwork:
        return train(self.start(arm), [self.subjects[name] for name in labelled], steps, rate, seed)

    def measured(self, network: SegmentationNetwork, name: str) -> dict[str, float]:
        return measured(network, self.subjects[name])

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
        """A folder with the training subjects' pictures alone, all from apex to base: no mask, no test subject."""
        folder = self.folder / "pictures"
        folder.mkdir(exist_ok=True)
        for name in self.train_names:
            file = f"{name}_{self.arguments.structure}_ED.nii.gz"
            if not (folder / file).exists():
                stack = sitk.ReadImage(str(self.arguments.data / file))
                sitk.WriteImage(turned_over(stack) if name in BASE_FIRST else stack, str(folder / file))
        return folder


def arguments_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    add_grid_options(parser, ARMS, (1e-3, 3e-3, 1e-2))
    parser.add_argument("--structure", default="LV")
    parser.add_argument(
        "--elsewhere", type=Path, help="stacks of another hospital, as sunnybrook5, tested too"
    )
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--pretrain-steps", type=int, default=2000)
    parser.add_argument("--lines", type=Path)
    parser.add_argument("--tests", type=int, default=0, help="only so many test subjects; 0: all")
    parser.add_argument("--reduced", action="store_true")
    arguments = parser.parse_args(words)
    for name, value in REDUCED.items() if arguments.reduced else ():
        setattr(arguments, name, value)
    return arguments


def main(words: Sequence[str] | None = None) -> None:
    SliceGrid(arguments_of(words)).finish()


if __name__ == "__main__":
    main()
