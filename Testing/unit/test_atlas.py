"""Atlases: what is thinned and written comes back, patients are matched as templates are, and nothing is believed unchecked."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch.nn.functional import cosine_similarity
from toy_models import toy_model
from toy_scans import FILM, SHIFT_LPS, SOLID, landmarks_of, scans, texture

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.results import Status
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.atlas_file import read_atlas_file, write_atlas_file
from SAMLandmarkLib.embedding.atlas_metadata import Code, ProtocolLandmark
from SAMLandmarkLib.engine.atlas import Atlas
from SAMLandmarkLib.engine.atlas_build import MarkedScan, build_atlas
from SAMLandmarkLib.engine.locate import NOT_SHOWN
from SAMLandmarkLib.engine.protocols import bundled_protocols, protocol_files
from SAMLandmarkLib.engine.transfer import TransferEngine
from SAMLandmarkLib.models.header import read_header
from SAMLandmarkLib.models.model_file import tensors_checksum
from SAMLandmarkLib.models.registry import REGISTRY
from SAMLandmarkLib.utils.errors import AtlasError

MOST_BYTES = 4 * 2**20


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> TransferEngine:
    return TransferEngine("cpu", toy_model(tmp_path_factory.mktemp("toy"), SOLID, (2.0, 4.0)))


@pytest.fixture(scope="module")
def marked(engine) -> MarkedScan:
    template, _target = scans(SOLID)
    return MarkedScan(engine.embed(template), landmarks_of(SOLID, template), "toys", "CC0 1.0", "nobody")


@pytest.fixture(scope="module")
def target(engine):
    return engine.embed(scans(SOLID)[1])


@pytest.fixture(scope="module")
def path(engine, marked, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("atlas") / "toys.safetensors"
    landmarks = [
        ProtocolLandmark(label, f"Point {label}", Code("SCT", "91723000", "Anatomical structure"))
        for label in marked.landmarks.labels
    ]
    write_atlas_file(path, build_atlas(engine, "toys", [marked], landmarks, "Toys"))
    return path


def changed(
    source: Path, path: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], Any]
) -> Path:
    """A copy of an atlas file whose header or tensors were changed, with a checksum that agrees."""
    contents = source.read_bytes()
    (length,) = struct.unpack("<Q", contents[:8])
    header = json.loads(json.loads(contents[8 : 8 + length])["__metadata__"]["samlandmark"])
    tensors = load(contents)
    other = change(header["metadata"], tensors)
    header["tensors_sha256"] = tensors_checksum(tensors)
    text = other if isinstance(other, str) else json.dumps(header)
    path.write_bytes(save(tensors, {"samlandmark": text}))
    return path


def field(keys: str, value: Any) -> Callable[[dict[str, Any], dict[str, torch.Tensor]], None]:
    """A change of one field of the metadata, named by its path."""

    def change(metadata: dict[str, Any], _tensors: dict[str, torch.Tensor]) -> None:
        *groups, last = [int(key) if key.isdecimal() else key for key in keys.split(".")]
        part: Any = metadata
        for key in groups:
            part = part[key]
        part[last] = value

    return change


def tensor(name: str, value: torch.Tensor) -> Callable[[dict[str, Any], dict[str, torch.Tensor]], None]:
    """A change of one tensor."""
    return lambda _metadata, tensors: tensors.update({name: value})


def test_what_is_kept_of_a_patient_is_what_its_embedding_holds(engine, marked, path):
    atlas = Atlas.read(path, engine.model)
    (patient, landmarks) = atlas.patients[0]
    np.testing.assert_allclose(landmarks.positions_lps, marked.landmarks.positions_lps)
    assert not patient.has_image and patient.name == "a"
    for own, kept in zip(marked.embedding.levels, patient.levels, strict=True):
        assert kept.vectors.shape == own.vectors.shape
        points = landmarks.positions_lps
        assert cosine_similarity(own.at(points), kept.at(points)).min() > 0.98
    support = patient.support_points_lps
    for own, kept in list(zip(marked.embedding.levels, patient.levels, strict=True))[:2]:
        assert cosine_similarity(own.at(support), kept.at(support)).min() > 0.98
    # elsewhere nothing is kept of the finest level, and means of the others
    assert (patient.finest.vectors.abs().sum(dim=3) == 0).float().mean() > 0.5
    whole, means = marked.embedding.levels[1].vectors, patient.levels[1].vectors
    assert cosine_similarity(whole.float(), means.float(), dim=3).mean() > 0.5


def test_a_file_says_who_is_in_it_and_holds_no_voxels(marked, path):
    contents = read_atlas_file(path, SOLID)
    (patient,) = contents.metadata.patients
    assert (patient.collection, patient.licence, patient.attribution) == ("toys", "CC0 1.0", "nobody")
    assert contents.metadata.landmarks[0].code.value == "91723000"
    voxels = marked.embedding.image.values.numel()
    assert all(values.numel() < voxels for values in load(path.read_bytes()).values())


@pytest.mark.parametrize("modality", [SOLID, FILM], ids=["volumes", "images of one slice"])
def test_landmarks_are_located_as_a_template_would_have_them(modality, engine, tmp_path):
    if modality is FILM:
        engine = TransferEngine("cpu", toy_model(tmp_path, FILM, (2.0, 4.0)))
    template, target = scans(modality)
    marked = MarkedScan(engine.embed(template), landmarks_of(modality, template))
    atlas = Atlas.of(build_atlas(engine, "toys", [marked]), engine.model)
    result = engine.locate(target, atlas)
    truth = marked.landmarks.positions_lps + SHIFT_LPS[modality.spatial_axes]
    best = np.array([item.candidates[0].position_lps for item in result])
    assert np.median(np.linalg.norm(best - truth, axis=1)) < 2.0
    assert result.template == "atlas toys" and Status.FOUND in {item.status for item in result}
    assert result.provenance["atlas"]["patients"][0]["name"] == "a"
    assert result.provenance["settings"]["profile"] == "fast"


def test_patients_vote_and_one_can_be_left_out(engine, marked, target):
    other = MarkedScan(
        target, LandmarkSet.from_points(["p0"], marked.landmarks.positions_lps[:1] + SHIFT_LPS[3])
    )
    atlas = Atlas.of(build_atlas(engine, "toys", [marked, other]), engine.model)
    assert np.isnan(atlas.patients[1][1].positions_lps[1:]).all()
    result = engine.locate(marked.embedding, atlas.without(["a"]))
    assert result[0].status is Status.FOUND
    np.testing.assert_allclose(result[0].position_lps, marked.landmarks.positions_lps[0], atol=2.0)
    assert result[1].status is Status.MISSING and "not defined" in result[1].reason
    assert [each["name"] for each in result.provenance["atlas"]["patients"]] == ["b"]
    with pytest.raises(AtlasError, match="no patients but a, b"):
        atlas.without(["a", "b"])


def test_a_scan_of_something_else_is_told_in_a_sentence(engine, path):
    other = Volume(texture(3, seed=11), np.diag([2.0, 2.0, 2.0, 1.0]), "other", modality=SOLID)
    result = engine.locate(other, path)
    assert {item.status for item in result} == {Status.MISSING}
    assert {item.reason for item in result} == {NOT_SHOWN}
    (sentence,) = result.provenance["atlas"]["doubts"]
    assert "does not show what the protocol 'toys' is of" in sentence


HOSTILE = {
    "format": (field("format_version", 2), r"atlas\.format_version"),
    "no patients": (field("patients", []), r"atlas\.patients"),
    "unknown field": (field("voxels", 1), "unknown field 'voxels'"),
    "name a path": (field("name", "../x"), r"atlas\.name"),
    "labels twice": (field("landmarks.1.label", "p0"), "more than one is called 'p0'"),
    "label a number": (field("landmarks.0.label", 5), r"landmarks\[0\]\.label"),
    "other scheme": (field("landmarks.0.code.scheme", "X"), r"code\.scheme"),
    "dimension": (field("levels.0.dimension", 9), "basis.0 has the shape"),
    "levels shrink": (field("levels.0.cell_spacing_mm", 900.0), "spacings must grow"),
    "grid huge": (field("patients.0.size_ijk", [8000, 8000, 8000]), "grid of"),
    "grid of others": (field("patients.0.size_ijk", [4, 4, 4]), "cells outside the grid"),
    "origin": (field("patients.0.origin_lps", [1e9, 0, 0]), r"origin_lps\[0\]"),
    "flat field of view": (field("patients.0.ijk_to_lps", [0.0] * 15 + [1.0]), "no volume"),
    "no map": (field("patients.0.ijk_to_lps", [1.0]), "4x4 affine"),
    "modality": (field("modality", "ct"), "modality ct"),
    "licence endless": (field("patients.0.licence", "x" * 10**5), "at most 200 letters"),
    "not JSON": (lambda *_: "{not json", "damaged"),
    "deep": (lambda *_: "[" * 100_000, "damaged"),
    "cells descend": (
        lambda _, tensors: tensors.update({"0.around.0.index": tensors["0.around.0.index"].flip(0)}),
        "cells",
    ),
    "cells negative": (
        lambda _, tensors: tensors.update({"0.around.0.index": tensors["0.around.0.index"] - 10**6}),
        "outside the grid",
    ),
    "codes of others": (tensor("0.means.1.codes", torch.zeros(3, 5, dtype=torch.uint8)), "has the shape"),
    "points infinite": (tensor("0.landmarks", torch.full((6, 3), torch.inf, dtype=torch.float64)), "no patient"),
    "support NaN": (tensor("0.support", torch.full((4, 3), torch.nan, dtype=torch.float64)), "support"),
    "points of others": (tensor("0.landmarks", torch.zeros(2, 3, dtype=torch.float64)), "2 points, not 6"),
    "basis NaN": (lambda _, tensors: tensors["basis.0"].fill_(torch.nan), "unit vectors"),
    "tensor missing": (lambda _, tensors: tensors.pop("0.support").numpy(), "support"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_wrong_field_or_tensor_is_refused_by_name(path, tmp_path, change, words):
    bad = changed(path, tmp_path / "bad.safetensors", change)
    with pytest.raises(AtlasError, match=rf"(?s)bad\.safetensors.*{words}"):
        read_atlas_file(bad, SOLID)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_cut_or_changed_file_is_refused(path, tmp_path, share):
    contents, bad = path.read_bytes(), tmp_path / "bad.safetensors"
    place = int(share * len(contents))
    bad.write_bytes(contents[:place])
    with pytest.raises(AtlasError, match=r"bad\.safetensors.*damaged"):
        read_atlas_file(bad, SOLID)
    bad.write_bytes(contents[:place] + bytes([contents[place] ^ 0x55]) + contents[place + 1 :])
    with pytest.raises(AtlasError, match=r"bad\.safetensors"):
        read_atlas_file(bad, SOLID)


def test_vectors_of_another_model_are_refused(engine, path, tmp_path):
    other = changed(path, tmp_path / "other.safetensors", field("model_sha256", "0" * 64))
    with pytest.raises(AtlasError, match="holds vectors of another model .000000000000. than"):
        engine.locate(scans(SOLID)[1], other)


def test_an_unknown_protocol_names_those_there_are():
    with pytest.raises(AtlasError, match=r"no protocol 'knee'.*"):
        protocol_files("knee")


def test_a_scan_without_its_landmarks_is_refused(engine, marked):
    outside = LandmarkSet.from_points(["p0"], np.array([[900.0, 0.0, 0.0]]))
    with pytest.raises(AtlasError, match="a: none of the landmarks p0"):
        build_atlas(engine, "toys", [MarkedScan(marked.embedding, outside)])
    with pytest.raises(AtlasError, match=r"atlas\.name"):
        build_atlas(engine, "my toys/", [marked])


def test_bundled_protocols_may_be_shipped_and_are_of_the_bundled_model():
    from pydicom.sr._concepts_dict import concepts

    known = {code for codes in concepts["SCT"].values() for code in codes}
    protocols = bundled_protocols()
    assert {"chest", "abdomen"} <= set(protocols)
    assert sum(path.stat().st_size for path in protocols.values()) <= MOST_BYTES
    for name, path in protocols.items():
        with path.open("rb") as file:
            metadata = read_header(file)["metadata"]
        assert metadata["name"] == name
        assert metadata["model_sha256"] == REGISTRY.model(metadata["modality"]).sha256
        for patient in metadata["patients"]:
            assert patient["licence"].startswith(("CC BY ", "CC0")) and "doi.org" in patient["attribution"]
        codes = [landmark["code"] for landmark in metadata["landmarks"] if landmark["code"]]
        assert codes and {code["value"] for code in codes} <= known
