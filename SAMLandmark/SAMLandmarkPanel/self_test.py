"""The self-tests that run inside Slicer, on the bundled sample pair: the user's own installation is what is tested."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer

from .installation import missingRequirements
from .sample_data import knownPlaces, loadPair

# The whole sample pair takes about ten seconds on two CPU cores; slow laptops get their time.
_LONGEST_SECONDS = 600
# Mean error that transfers of the sample pair stay below on any device, mm.
_MEAN_ERROR_MM = 5.0
_AFFINE_ERROR_MM = 25.0
_LABEL = "left_kidney_upper_pole"


class SelfTests:
    """The tests, to be mixed into a class that derives from ScriptedLoadableModuleTest."""

    def setUp(self) -> None:
        """Start with an empty scene."""
        slicer.mrmlScene.Clear()

    def tearDown(self) -> None:
        """Stop what a failed test left running; otherwise the engine stays ready for the next one."""
        if self._session().busy:
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
        template, points, followUp = loadPair()
        self.assertEqual(template.GetImageData().GetDimensions(), (253, 253, 115))
        self.assertEqual(followUp.GetImageData().GetDimensions(), (253, 253, 117))
        self.assertEqual(points.GetNumberOfDefinedControlPoints(), 20)

    def test_transfer_review_export_and_scene_file(self) -> None:
        """A day's work, on one transfer because the engine takes its time."""
        session = self._transferredPair()
        for check in (
            self._checkPlaces,
            self._checkMarkups,
            self._checkWalk,
            self._checkUndo,
            self._checkHiddenLists,
            self._checkHardening,
            self._checkScript,
            self._checkViewsInScene,
            self._checkModality,
            self._checkFrames,
            self._checkBatch,
            self._checkLesions,
            self._checkRegistration,
            self._checkExport,
            self._checkSceneFile,
        ):
            with self.subTest(check.__name__):
                check(session)

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

    def _checkPlaces(self, session: Any) -> None:
        """The points arrive near the places that were found independently."""
        known = knownPlaces()
        items = session.state.items(session.follow_ups[0].key)
        errors = [math.dist(item.position_lps, known[label]) for label, item in items.items() if item.usable]
        self.assertGreaterEqual(len(errors), 15)
        self.assertLess(sum(errors) / len(errors), _MEAN_ERROR_MM)

    def _checkMarkups(self, session: Any) -> None:
        """Labels and order are the template's, and each point carries its confidence."""
        template, result = session.template_markups, session.follow_ups[0].markups_node
        count = template.GetNumberOfControlPoints()
        self.assertEqual(result.GetNumberOfControlPoints(), count)
        for index in range(count):
            self.assertEqual(result.GetNthControlPointLabel(index), template.GetNthControlPointLabel(index))
        names = [result.GetNthMeasurement(n).GetName() for n in range(result.GetNumberOfMeasurements())]
        self.assertIn("confidence", names)

    def _checkWalk(self, session: Any) -> None:
        """A result is under review after the transfer, and accepting all that is sure is one step of undo."""
        self.assertIsNotNone(session.current)
        before = session.state
        self.assertGreater(session.decisions.accept_found(0.5), 0)
        session.undo()
        self.assertEqual(session.state, before)

    def _checkHiddenLists(self, session: Any) -> None:
        """The points of a scan that is not ticked are neither shown nor counted."""
        (scan,) = session.follow_ups
        session.set_follow_ups([])
        self.assertFalse(scan.markups_node.GetDisplayVisibility())
        self.assertEqual(session.counts["total"], 0)
        session.set_follow_ups([scan.volume_node])
        self.assertTrue(scan.markups_node.GetDisplayVisibility())

    def _checkHardening(self, session: Any) -> None:
        """Points stay at their anatomy when a transform of the follow-up is hardened."""
        (scan,) = session.follow_ups
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        scan.volume_node.SetAndObserveTransformNodeID(transform.GetID())
        before = scan.markups_node.GetNthControlPointPositionWorld(0)
        scan.volume_node.HardenTransform()
        after = scan.markups_node.GetNthControlPointPositionWorld(0)
        self.assertLess(math.dist(before, after), 0.01)

    def _checkScript(self, session: Any) -> None:
        """What a script's own session decides is no correction by the user of the panel."""
        other = type(session)(slicer.mrmlScene, session.worker, "script")
        try:
            self.assertTrue(other.restore())
            key = other.follow_ups[0].key
            other.reject(key, _LABEL)
            self.assertEqual(session.item(key, _LABEL).decision.value, "REJECTED")
            other.undo()
        finally:
            other.close()

    def _checkViewsInScene(self, session: Any) -> None:
        """A saved scene asks for no view and no layout that others lack."""
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            if node.GetLayoutName().startswith("SAMLandmark"):
                self.assertFalse(node.GetSaveWithScene())

    def _checkModality(self, session: Any) -> None:
        """A follow-up of a modality without a model is told before anything is computed."""
        from SAMLandmarkLib.scene.modality import modality_problem

        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "ultrasound")
        item = hierarchy.GetItemByDataNode(volume) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), volume)
        hierarchy.SetItemAttribute(item, "DICOM.Modality", "US")
        self.assertIn("no model yet", modality_problem(volume))
        self.assertEqual(modality_problem(session.template_volume), "")
        slicer.mrmlScene.RemoveNode(volume)

    def _checkFrames(self, session: Any) -> None:
        """Each frame of a 4D volume is a volume with the voxels of the sequence."""
        from SAMLandmarkLib.scene.sequences import frame_volumes, volume_sequences

        sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "4D")
        sequence.SetIndexUnit("s")
        for value in ("0", "1"):
            sequence.SetDataNodeAtValue(session.template_volume, value)
        self.assertIn(sequence, volume_sequences(slicer.mrmlScene))
        frames = frame_volumes(sequence)
        self.assertEqual([node.GetName() for node in frames], ["4D 1 (0 s)", "4D 2 (1 s)"])
        for node in (*frames, sequence):
            slicer.mrmlScene.RemoveNode(node)

    def _checkBatch(self, session: Any) -> None:
        """A folder is done in the background, and a scan of it is opened beside the others."""
        from SAMLandmarkLib.study.batch_description import BatchScans
        from SAMLandmarkLib.utils.bundled import bundled_folder

        (before,) = session.follow_ups
        with tempfile.TemporaryDirectory() as folder:
            (patient := Path(folder) / "scans" / "patient").mkdir(parents=True)
            shutil.copy(bundled_folder("SampleData") / "followup.nii.gz", patient)
            session.batch.start(BatchScans(folder=str(patient.parent)), Path(folder) / "results")
            self._waitWhile(session, lambda: session.batch.running)
            (scan,) = session.batch.scans.values()
            session.batch.open(scan.key)
            self._waitWhile(session, lambda: session.batch.opening)
        self.assertEqual(scan.found + scan.doubtful + scan.missing, 20)
        self.assertEqual(len(session.follow_ups), 2)
        session.set_follow_ups([before.volume_node])

    def _checkLesions(self, session: Any) -> None:
        """A diameter on the template is proposed on the follow-up, and a response by RECIST 1.1 with its rule."""
        from SAMLandmarkLib.scene.lesion_lines import LINE_CLASS, lines_of

        line = slicer.mrmlScene.AddNewNodeByClass(LINE_CLASS, "T1 long")
        r, a, s = session.template_markups.GetNthControlPointPositionWorld(session.labels.index(_LABEL))
        for end in (r - 8, r + 8):
            number = line.AddControlPoint((end, a, s), "")
            line.SetNthControlPointAssociatedNodeID(number, session.template_volume.GetID())
        session.poll()
        session.lesions.track()
        self._waitWhile(session, lambda: session.lesions.running)
        self.assertIsNotNone(session.lesions.history, session.lesions.text)
        proposed = lines_of(slicer.mrmlScene, session.follow_ups[0].volume_node)
        self.assertIn("T1 long", [node.GetName() for node in proposed])
        for node in (line, *proposed):
            slicer.mrmlScene.RemoveNode(node)

    def _checkRegistration(self, session: Any) -> None:
        """The transform node takes a point of the template near to where it was found independently."""
        key = session.follow_ups[0].key
        session.registrations.register(key, "affine")
        self._waitWhile(session, lambda: session.registrations.running)
        outputs = session.registrations.outputs(key)
        self.assertEqual(len(outputs.existing), 2, session.registrations.text(key))
        point = session.template_markups.GetNthControlPointPositionWorld(session.labels.index(_LABEL))
        r, a, s = outputs.transform.GetTransformFromParent().TransformPoint(point)
        self.assertLess(math.dist((-r, -a, s), knownPlaces()[_LABEL]), _AFFINE_ERROR_MM)
        session.registrations.remove(key)

    def _checkUndo(self, session: Any) -> None:
        """The scene's undo takes a decision back."""
        key = session.follow_ups[0].key
        before = session.item(key, _LABEL)
        session.set_missing(key, _LABEL)
        self.assertFalse(session.item(key, _LABEL).usable)
        session.undo()
        self.assertEqual(session.item(key, _LABEL), before)

    def _checkExport(self, session: Any) -> None:
        """Markups of both scans, a table and a report are written."""
        with tempfile.TemporaryDirectory() as folder:
            session.exports.start(folder)
            self._waitWhile(session, lambda: session.exports.running)
            self.assertEqual(session.exports.end.problem, "")
            names = [path.name for path in session.exports.end.files]
            self.assertTrue(all((Path(folder) / name).stat().st_size > 0 for name in names))
        self.assertEqual(sum(name.endswith(".mrk.json") for name in names), 2)
        self.assertIn("transfer.csv", names)
        self.assertIn("report.html", names)

    def _checkSceneFile(self, session: Any) -> None:
        """A scene file holds the points and the decisions."""
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

    def _session(self) -> Any:
        return slicer.util.getModuleWidget("SAMLandmark").logic.session

    def _preparedPair(self) -> Any:
        if missing := missingRequirements():
            raise unittest.SkipTest(f"{', '.join(missing)} must be installed first")
        template, points, followUp = loadPair()
        session = self._session()
        session.set_template(template, points)
        session.set_follow_ups([followUp])
        self.assertEqual(session.blocking_reason, "")
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
        self._waitWhile(session, lambda: session.busy)

    def _waitWhile(self, session: Any, condition: Callable[[], bool]) -> None:
        """Keep Slicer alive as long as the condition holds."""
        end = time.monotonic() + _LONGEST_SECONDS
        while condition():
            slicer.app.processEvents()
            session.poll()
            self.assertLess(time.monotonic(), end, "It took too long.")
            time.sleep(0.01)
