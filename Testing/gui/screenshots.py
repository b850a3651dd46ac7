"""Makes the pictures of the tutorial: the module on the test bench, the bundled sample pair, the real engine.

python Testing/gui/screenshots.py Resources/Screenshots
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT)]

import slicer
from PIL import Image
from samples import FOLDER, add_points, add_volume, read_points
from slicer_standin.bench import Bench
from user import User, positions

SHOWN = "left_kidney_upper_pole"
# The lesion of the sample pair that is measured by hand, and by how much of its length an end is dragged.
MEASURED, DRAGGED_PART = "T1", -0.05
# Gas in the bowel is elsewhere on every scan: what can't be found again must show as doubtful. RAS mm.
GAS = {"gas_in_stomach": (-50.9, 105.4, -374.3), "gas_in_colon": (60.8, 92.9, -398.5)}
STEPS = (
    *("templateStep", "transferStep", "reviewStep", "lesionStep", "registrationStep"),
    *("batchStep", "advancedStep"),
)
# Patient, scan, and the file of the sample pair that stands for it; "" for one that can't be read.
BATCH = (
    ("Patient 1", "2024-02-12 abdomen", "followup.nii.gz"),
    ("Patient 1", "2024-05-03 abdomen", ""),
    ("Patient 2", "2024-01-10 abdomen", "template.nii.gz"),
)
EXPORT_FOLDER = Path("/home/radiologist/SAMLandmark")
WIDTH, HEIGHT = 1500, 860


class Photographer:
    """Walks through the tutorial and takes a picture at each step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bench = Bench()
        self.bench.load_module(ROOT / "SAMLandmark" / "SAMLandmark.py")
        self.bench.show(WIDTH, HEIGHT)
        self.bench.open_module("SAMLandmark")
        self.user = User(self.bench)
        # nothing of whose computer this is belongs into a picture
        self.user.ui.exportFolderButton.directory = str(EXPORT_FOLDER)

    def take_all(self) -> None:
        """Take every picture, in the order of the tutorial."""
        self.load_pair()
        self.template_step()
        self.transfer_step()
        self.review_step()
        self.heat_map()
        self.correction()
        self.decisions()
        self.export_step()
        self.lesion_step()
        self.registration_step()
        self.batch_step()
        self.advanced_step()
        self.named_landmarks()

    def load_pair(self) -> None:
        """Load the sample pair with the dates of the tutorial (the scans lie 33 days apart)."""
        from SAMLandmarkLib.core.volume import Volume

        self.template = add_volume(Volume.read(FOLDER / "template.nii.gz"), "Baseline CT", "20240110")
        self.follow_up = add_volume(Volume.read(FOLDER / "followup.nii.gz"), "Follow-up CT", "20240212")
        points = {label: point for label, point in read_points("template").items() if label != SHOWN}
        self.points = add_points(points | GAS)

    def template_step(self) -> None:
        """Choose, tick, and place the last point by hand."""
        user = self.user
        user.choose(self.template, self.points)
        user.tick("Follow-up CT")
        place = tuple(read_points("template")[SHOWN])
        view = user.view_of(self.template)
        user.go_to(view, place)
        user.click(user.ui.placeButton)
        user.bench.click(view, place)
        placed = next(label for label in positions(self.points) if label.startswith("Landmarks"))
        self.points.SetNthControlPointLabel(list(positions(self.points)).index(placed), SHOWN)
        self.only("templateStep", "transferStep")
        user.ui.pointsList.tableWidget().scrollToBottom()
        self.take("slicer-1-template")
        user.click(user.ui.placeButton)

    def transfer_step(self) -> None:
        """Press the button, and look while it runs."""
        self.only("templateStep", "transferStep")
        self.user.click(self.user.ui.transferButton)
        self.bench.wait_until(lambda: self.user.ui.progressBar.value >= 30, 240, "a third of it is done")
        self.take_panel("slicer-2-transfer")
        self.user.wait_for_end()

    def review_step(self) -> None:
        """Look at one result in both scans."""
        self.only("reviewStep")
        self.user.click_cell(self.row(SHOWN))
        self.take("slicer-3-review")
        self.user.press("N")
        self.take("slicer-3-doubtful")

    def heat_map(self) -> None:
        """Show what looks like the current point."""
        user = self.user
        user.click_cell(self.row(SHOWN))
        user.click(user.ui.heatMapCheckBox)
        user.wait_for_end()
        self.take("slicer-3-heat-map")
        user.click(user.ui.heatMapCheckBox)

    def correction(self) -> None:
        """Drag the point that lies farthest from the truth to where it belongs."""
        label, start, end = self.farthest_in_its_slice()
        self.user.click_cell(self.row(label))
        self.user.bench.drag(self.user.view_of(self.follow_up), tuple(start), tuple(end))
        self.user.wait_for_end()
        self.take("slicer-3-correction")

    def decisions(self) -> None:
        """Accept some points, and say that one is not on the scan."""
        for label in ("right_lung_base_vessel_fork", "right_kidney_upper_pole", SHOWN, "gas_in_stomach"):
            self.user.click_cell(self.row(label))
            self.user.press("A")
        self.user.click_cell(self.row("gas_in_colon"))
        self.user.press("M")
        self.user.ui.reviewTable.scrollToBottom()
        self.take_panel("slicer-3-decided")

    def farthest_in_its_slice(self) -> tuple[str, Any, Any]:
        """Label, place and true place (in the same slice) of the point with the largest error within its slice."""
        found, truth = positions(self.user.session.follow_ups[0].markups_node), read_points("followup")
        errors = {label: np.hypot(*(truth[label] - found[label])[:2]) for label in truth if label in found}
        label = max(errors, key=errors.get)
        return label, found[label], np.array([*truth[label][:2], found[label][2]])

    def export_step(self) -> None:
        """Write the files."""
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "results"
            self.user.ui.exportFolderButton.directory = str(target)
            self.user.export()
            self.user.ui.exportFolderButton._button.setText(str(EXPORT_FOLDER))
            self.take_panel("slicer-4-export")

    def lesion_step(self) -> None:
        """Track the lesions of the sample pair, and drag an end of a proposed line."""
        from SAMLandmarkLib.io.lesion_lines import read_lesion_lines
        from SAMLandmarkLib.scene.lesion_lines import show_lesions

        user, ui = self.user, self.user.ui
        self.only("lesionStep")
        marks = read_lesion_lines(FOLDER / "lesions.mrk.json")
        show_lesions(self.bench.scene, self.template, [(mark.lesion, mark.finding) for mark in marks])
        self.bench.settle(100)
        user.click(ui.trackButton)
        self.bench.wait_until(lambda: not user.session.lesions.running, 1800, "the lesions are tracked")
        self.bench.settle(100)
        self.points.SetDisplayVisibility(False)
        self.measure_by_hand(f"{MEASURED} long")
        ui.lesionFolderButton._button.setText(str(EXPORT_FOLDER / "lesions"))
        self.take("slicer-7-lesions")

    def measure_by_hand(self, name: str) -> None:
        """Drag an end of a proposed line, and look at its lesion again."""
        from SAMLandmarkLib.scene.lesion_lines import lines_of

        lines = lines_of(self.bench.scene, self.follow_up)
        line = next(node for node in lines if node.GetName() == name)
        first, last = (np.array(line.GetNthControlPointPosition(number)) for number in (0, 1))
        view = self.user.view_of(self.follow_up)
        self.user.go_to(view, tuple(last))
        self.bench.drag(view, tuple(last), tuple(last + DRAGGED_PART * (first - last)))
        rows = [track.lesion.name for track in self.user.session.lesions.history]
        self.user.ui.lesionTable.cellClicked.emit(rows.index(MEASURED), 1)
        self.bench.settle(100)

    def registration_step(self) -> None:
        """Register the follow-up, and lay it over the template."""
        user, ui = self.user, self.user.ui
        self.only("registrationStep")
        user.click(ui.registerButton)
        running = user.session.registrations
        self.bench.wait_until(lambda: not running.running, 1800, "the follow-up is registered")
        # points and lines would hide what is to be compared
        for markups in slicer.util.getNodesByClass("vtkMRMLMarkupsNode"):
            markups.SetDisplayVisibility(False)
        user.click(ui.overTemplateCheckBox)
        self.take("slicer-9-registration")
        user.click(ui.overTemplateCheckBox)

    def batch_step(self) -> None:
        """Run a study of two patients, one scan of which is damaged, and choose a scan of it."""
        ui = self.user.ui
        self.only("batchStep")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "scans"
            for patient, scan, source in BATCH:
                (folder / patient).mkdir(parents=True, exist_ok=True)
                data = (FOLDER / source).read_bytes() if source else b"damaged"
                (folder / patient / f"{scan}.nii.gz").write_bytes(data)
            ui.batchScansButton.directory = str(folder)
            ui.batchResultsButton.directory = str(Path(name) / "results")
            self.user.click(ui.batchButton)
            self.bench.wait_until(lambda: not self.user.session.batch.running, 600, "the study is done")
            texts = [ui.batchTable.item(row, 2).text() for row in range(ui.batchTable.rowCount)]
            doubtful = [int(text) if text.isdigit() else 0 for text in texts]
            ui.batchTable.selectRow(doubtful.index(max(doubtful)))
            ui.batchScansButton._button.setText(str(EXPORT_FOLDER.parent / "scans"))
            ui.batchResultsButton._button.setText(str(EXPORT_FOLDER / "batch"))
            self.take_panel("slicer-6-batch")

    def advanced_step(self) -> None:
        """Test the installation."""
        user = self.user
        self.only("advancedStep")
        user.click(user.ui.testButton)
        self.bench.wait_until(
            lambda: user.ui.testButton.enabled and "torch" in user.ui.modelLabel.text, 240, "tested"
        )
        self.take_panel("slicer-5-advanced")

    def named_landmarks(self) -> None:
        """Find named landmarks on a scan, without a template, and look at one."""
        user, ui = self.user, self.user.ui
        self.only("templateStep", "transferStep", "reviewStep")
        ui.sourceSelector.setCurrentIndex(
            [ui.sourceSelector.itemText(n).endswith("abdomen") for n in range(4)].index(True)
        )
        self.bench.settle()
        user.tick("Follow-up CT")
        user.transfer()
        user.click_cell(self.row("kidney_upper_pole_left"))
        self.take("slicer-8-named-landmarks")

    def row(self, label: str) -> int:
        """Row of a landmark in the table."""
        return self.user.session.labels.index(label)

    def only(self, *names: str) -> None:
        """Open these steps and close the others."""
        for name in STEPS:
            getattr(self.user.ui, name).collapsed = name not in names
        self.bench.settle()

    def take(self, name: str) -> None:
        """Picture of the whole window."""
        self.bench.save_picture(self.folder / f"{name}.png")

    def take_panel(self, name: str) -> None:
        """Picture of the panel only."""
        self.bench.save_panel_picture(self.folder / f"{name}.png")
        shrink(self.folder / f"{name}.png")

    def close(self) -> None:
        """End the module and its engine."""
        self.bench.close_module("SAMLandmark")


def shrink(path: Path) -> None:
    """Write a picture of the panel with 256 colors; in one of the views that would change the colors of the points."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(
            256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )
    small.save(path, optimize=True)


def main() -> None:
    """Take the pictures into the folder of the first argument, with an empty cache, as on a new computer."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        photographer = Photographer(Path(sys.argv[1]))
        try:
            photographer.take_all()
        finally:
            photographer.close()


if __name__ == "__main__":
    main()
