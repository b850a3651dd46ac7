"""The module's self-tests on the stand-in for Slicer's application; run as a script, in a process of its own.

Slicer's own parts that they call and slicer-core lacks, the Sample Data module and the reading and writing of scene
files, are replaced by the MRML functions below them. What runs here is no proof for Slicer, but keeps the tests alive.
"""

from __future__ import annotations

import sys
import tempfile
import types
import unittest
import urllib.request
from pathlib import Path
from typing import Any

import slicer

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "SAMLandmark")]

from slicer_standin import application
from slicer_standin.bench import Bench

STORAGE = {"VolumeFile": "vtkMRMLVolumeArchetypeStorageNode", "MarkupsFile": "vtkMRMLMarkupsJsonStorageNode"}
NODES = {"VolumeFile": "vtkMRMLScalarVolumeNode", "MarkupsFile": "vtkMRMLMarkupsFiducialNode"}


class SampleDataLogic:
    """What the module and its tests call of Slicer's SampleData."""

    sources: dict[str, dict[str, Any]]

    @staticmethod
    def registerCustomSampleDataSource(category: str, sampleName: str, **source: Any) -> None:
        SampleDataLogic.sources = {sampleName: source}

    def downloadSamples(self, sampleName: str) -> list[Any]:
        source = self.sources[sampleName]
        names = ("uris", "fileNames", "nodeNames", "loadFileType")
        return [_load(*file) for file in zip(*(source[name] for name in names), strict=True)]


def _load(uri: str, file_name: str, node_name: str, kind: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path, _ = urllib.request.urlretrieve(uri, Path(folder) / file_name)
        node = slicer.mrmlScene.AddNewNodeByClass(NODES[kind], node_name)
        node.CreateDefaultDisplayNodes()
        storage = getattr(slicer, STORAGE[kind])()
        storage.SetFileName(str(path))
        if not storage.ReadData(node):
            raise OSError(f"{path} can't be read")
        node.SetName(node_name)
    return node


def _save_scene(path: str) -> bool:
    return bool(slicer.mrmlScene.WriteToMRB(path))


def _load_scene(path: str) -> bool:
    return bool(slicer.mrmlScene.ReadFromMRB(path))


def _prepare_scene_files(folder: str) -> tuple[Any, ...]:
    """What MRML needs to read .mrb files into `folder`; to be kept alive."""
    remote, manager = slicer.vtkMRMLRemoteIOLogic(), slicer.vtkDataIOManagerLogic()
    for logic in (remote, manager):
        logic.SetMRMLScene(slicer.mrmlScene)
        logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    remote.GetCacheManager().SetRemoteCacheDirectory(folder)
    manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    return remote, manager


def main() -> None:
    sys.modules["SampleData"] = types.SimpleNamespace(SampleDataLogic=SampleDataLogic)
    bench = Bench()
    slicer.qSlicerScriptedLoadableModuleWidget = application.qSlicerScriptedLoadableModuleWidget
    kept = _prepare_scene_files(slicer.app.temporaryPath)
    slicer.util.saveScene, slicer.util.loadScene = _save_scene, _load_scene
    bench.load_module(ROOT / "SAMLandmark" / "SAMLandmark.py")
    bench.show(1200, 800)
    bench.open_module("SAMLandmark")
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(sys.modules["SAMLandmark"].SAMLandmarkTest)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    bench.close_module("SAMLandmark")
    del kept
    # The engine is a process of its own: a whole day's work never loads this into Slicer. (SciPy it may: nibabel, which
    # reads the scans of a finished batch, imports it, and Slicer brings it along.)
    if loaded := {"torch", "matplotlib", "typer"} & set(sys.modules):
        sys.exit(f"{loaded} was imported into the application")
    sys.exit(not (result.wasSuccessful() and result.testsRun == 3))


if __name__ == "__main__":
    main()
