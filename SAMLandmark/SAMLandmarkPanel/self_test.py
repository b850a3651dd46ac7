"""The self-tests that run inside Slicer, on the bundled sample pair: the user's own installation is what is tested."""

from __future__ import annotations

import csv
import math
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

import slicer

from .installation import missingRequirements
from .sample_data import FOLLOW_UP_NAME, PAIR_SAMPLE, POINTS_NAME, TEMPLATE_NAME, registerSampleData

# The whole sample pair takes about ten seconds on two CPU cores; slow laptops get their time.
_LONGEST_SECONDS = 600
# Mean error that transfers of the sample pair stay below on any device, mm.
_MEAN_ERROR_MM = 5.0
_LABEL = "left_kidney_upper_pole"


class SelfTests:
    """The tests, to be mixed into a class that derives from ScriptedLoadableModuleTest."""

    def setUp(self) -> None:
        """Start with an empty scene."""
        slicer.mrmlScene.Clear()

    def tearDown(self) -> None:
        """Stop what a failed test left running."""
        self._session().cancel()

    def runTest(self) -> None:
        """Run every test in turn, as "Reload and Test" wants it."""
        for name in unittest.defaultTestLoader.getTestCaseNames(type(self)):
            self.setUp()
            try:
                getattr(self, name)()
            except unittest.SkipTest as reason:
                self.delayDisplay(f"{name} was skipped: {reason}")
            finally:
                self.tearDown()
        self.delayDisplay("All tests of SAMLandmark passed.")

    def test_sample_pair_loads_without_network(self) -> None:
        """Both scans and the points of the first appear in the scene."""
        template, points, followUp = self._loadPair()
        self.assertEqual(template.GetImageData().GetDimensions(), (253, 253, 115))
        self.assertEqual(followUp.GetImageData().GetDimensions(), (253, 253, 117))
        self.assertEqual(points.GetNumberOfDefinedControlPoints(), 20)

    def test_points_arrive_near_their_known_places(self) -> None:
        """The transfer is as good as it was where the model was made."""
        session = self._transferredPair()
        (scan,) = session.follow_ups
        known = self._knownPlaces()
        errors = [
            math.dist(item.position_lps, known[label])
            for label, item in session.state.items(scan.key).items()
            if item.usable
        ]
        self.assertGreaterEqual(len(errors), 15)
        self.assertLess(sum(errors) / len(errors), _MEAN_ERROR_MM)

    def test_markups_of_the_follow_up_are_those_of_the_template(self) -> None:
        """Labels and order are the template's, and each point carries its confidence."""
        session = self._transferredPair()
        template, result = session.template_markups, session.follow_ups[0].markups_node
        count = template.GetNumberOfControlPoints()
        self.assertEqual(result.GetNumberOfControlPoints(), count)
        for index in range(count):
            self.assertEqual(result.GetNthControlPointLabel(index), template.GetNthControlPointLabel(index))
        names = [result.GetNthMeasurement(n).GetName() for n in range(result.GetNumberOfMeasurements())]
        self.assertIn("confidence", names)

    def test_a_decision_can_be_undone(self) -> None:
        """The scene's undo brings back what was before, in the review and in the markups."""
        session = self._transferredPair()
        key = session.follow_ups[0].key
        before = session.item(key, _LABEL)
        session.set_missing(key, _LABEL)
        self.assertFalse(session.item(key, _LABEL).usable)
        session.undo()
        self.assertEqual(session.item(key, _LABEL), before)

    def test_a_running_transfer_can_be_canceled(self) -> None:
        """Slicer does not wait for the engine, and the next transfer starts it again."""
        session = self._preparedPair()
        session.transfer()
        session.cancel()
        self._wait(session)
        self.assertFalse(session.transferring)
        session.transfer()
        self._wait(session)
        self.assertEqual(session.state.counts()["total"], 20)

    def test_results_survive_saving_and_loading(self) -> None:
        """A scene file holds the points, the decisions and where they come from."""
        session = self._transferredPair()
        session.accept(session.follow_ups[0].key, _LABEL)
        counts = session.state.counts()
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear()
            slicer.util.loadScene(path)
        session.restore()
        self.assertEqual(session.state.counts(), counts)
        self.assertEqual(session.state.counts()["accepted"], 1)

    def test_results_are_exported(self) -> None:
        """Markups of both scans, a table and a report are written."""
        session = self._transferredPair()
        with tempfile.TemporaryDirectory() as folder:
            names = [path.name for path in session.export(folder)]
            self.assertTrue(all((Path(folder) / name).stat().st_size > 0 for name in names))
        self.assertEqual(sum(name.endswith(".mrk.json") for name in names), 2)
        self.assertIn("transfer.csv", names)
        self.assertIn("report.html", names)

    def _session(self) -> Any:
        return slicer.util.getModuleWidget("SAMLandmark").logic.session

    def _loadPair(self) -> tuple[Any, Any, Any]:
        import SampleData

        registerSampleData()
        SampleData.SampleDataLogic().downloadSamples(PAIR_SAMPLE)
        return tuple(slicer.util.getNode(name) for name in (TEMPLATE_NAME, POINTS_NAME, FOLLOW_UP_NAME))

    def _preparedPair(self) -> Any:
        if missing := missingRequirements():
            raise unittest.SkipTest(f"{', '.join(missing)} must be installed first")
        template, points, followUp = self._loadPair()
        session = self._session()
        session.set_template(template, points)
        session.set_follow_ups([followUp])
        self.assertEqual(session.obstacle, "")
        return session

    def _transferredPair(self) -> Any:
        session = self._preparedPair()
        session.transfer()
        self._wait(session)
        self.assertEqual([scan.message for scan in session.follow_ups], [""])
        self.assertEqual(session.state.counts()["total"], 20)
        return session

    def _wait(self, session: Any) -> None:
        """Keep Slicer alive until the engine is done."""
        end = time.monotonic() + _LONGEST_SECONDS
        while session.busy:
            slicer.app.processEvents()
            session.poll()
            self.assertLess(time.monotonic(), end, "The engine took too long.")
            time.sleep(0.01)

    def _knownPlaces(self) -> dict[str, tuple[float, float, float]]:
        """The points that were found independently in the follow-up, LPS mm."""
        from SAMLandmarkLib.bundled import bundled_folder

        with open(bundled_folder("SampleData") / "followup.csv", encoding="utf-8", newline="") as file:
            return {row["label"]: tuple(float(row[axis]) for axis in "xyz") for row in csv.DictReader(file)}
