"""The bundled pair is offered in Slicer's Sample Data module and loads without any download."""

from __future__ import annotations

import hashlib
import sys
import types
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

import pytest
import slicer
from SAMLandmarkPanel import sample_data


class SampleDataLogic:
    """The one function of Slicer's module SampleData that is called, with its real parameters."""

    sources: ClassVar[dict[str, list[dict[str, Any]]]] = {}

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom", sampleName=None, uris=None, fileNames=None, nodeNames=None, customDownloader=None,
        thumbnailFileName=None, loadFileType="VolumeFile", loadFiles=None, loadFileProperties=None, checksums=None,
    ) -> None:  # fmt: skip
        source = {
            "sampleName": sampleName,
            "thumbnailFileName": thumbnailFileName,
            "files": list(zip(uris, fileNames, nodeNames, loadFileType, checksums, strict=True)),
        }
        SampleDataLogic.sources.setdefault(category, []).append(source)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the module registers."""
    monkeypatch.setattr(SampleDataLogic, "sources", {})
    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=SampleDataLogic))
    sample_data.registerSampleData()
    (only,) = SampleDataLogic.sources[sample_data.CATEGORY]
    return only


def test_files_are_fetched_from_this_computer_and_match_their_checksums(source: dict, tmp_path: Path) -> None:
    for uri, name, _, _, checksum in source["files"]:
        assert uri.startswith("file://")
        path, _ = urllib.request.urlretrieve(uri, tmp_path / name)
        assert checksum == f"SHA256:{hashlib.sha256(Path(path).read_bytes()).hexdigest()}"


def test_git_keeps_the_files_byte_by_byte(repository: Path) -> None:
    assert "Resources/SampleData/** -text" in (repository / ".gitattributes").read_text().splitlines()


def test_thumbnail_is_shipped(source: dict) -> None:
    assert Path(source["thumbnailFileName"]).is_file()


def test_every_file_loads_as_the_kind_it_is_registered_as(source: dict, tmp_path: Path) -> None:
    scene = slicer.vtkMRMLScene()
    kinds = {"VolumeFile": _read_volume, "MarkupsFile": _read_markups}
    loaded = {}
    for uri, name, node, kind, _ in source["files"]:
        path, _ = urllib.request.urlretrieve(uri, tmp_path / name)
        loaded[node] = kinds[kind](scene, str(path))
    assert loaded[sample_data.TEMPLATE_NAME].GetImageData().GetDimensions() == (253, 253, 115)
    assert loaded[sample_data.FOLLOW_UP_NAME].GetImageData().GetDimensions() == (253, 253, 117)
    assert loaded[sample_data.POINTS_NAME].GetNumberOfDefinedControlPoints() == 20


def _read_volume(scene: Any, path: str) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    return _read(scene, node, "vtkMRMLVolumeArchetypeStorageNode", path)


def _read_markups(scene: Any, path: str) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    return _read(scene, node, "vtkMRMLMarkupsJsonStorageNode", path)


def _read(scene: Any, node: Any, storage_class: str, path: str) -> Any:
    storage = scene.AddNode(getattr(slicer, storage_class)())
    storage.SetFileName(path)
    assert storage.ReadData(node) == 1
    return node
