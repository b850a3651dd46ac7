"""Model files of format 3: what is written is read, nothing in one is believed unchecked, and none runs code."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_models import toy_model

from SAMLandmarkLib.core.matching_options import PROFILES, MatchingOptions
from SAMLandmarkLib.core.modality import CT, RADIOGRAPH, Modality
from SAMLandmarkLib.models.bundle import EmbeddingModel, ModelMetadata, export_bundle, rewrite_metadata
from SAMLandmarkLib.models.model_card import read_model_card
from SAMLandmarkLib.models.model_file import parse_model_file, write_model_file
from SAMLandmarkLib.models.network import BranchConfig, SamNetwork
from SAMLandmarkLib.utils.errors import ModelError

SMALL = BranchConfig(channels=(8, 12, 16), blocks=(1, 1, 1), dimension=8)


@pytest.fixture(scope="module")
def model_path(tmp_path_factory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    training = {"run": {"date": "2026-11-29"}, "volumes": {"": ["a", "b"]}}
    export_bundle(SamNetwork(SMALL, SMALL).eval(), path, ModelMetadata(version="1.0", training=training))
    return path


def with_header(source: Path, path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy of a model file whose header was changed."""
    contents = source.read_bytes()
    (length,) = struct.unpack("<Q", contents[:8])
    described = json.loads(contents[8 : 8 + length])
    header = json.loads(described["__metadata__"]["samlandmark"])
    changed = change(header)
    described["__metadata__"]["samlandmark"] = changed if isinstance(changed, str) else json.dumps(header)
    raw = json.dumps(described).encode()
    raw += b" " * (-len(raw) % 8)
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + contents[8 + length :])
    return path


def at(keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one field, named by its path."""

    def change(header: dict[str, Any]) -> None:
        *groups, last = [int(key) if key.isdecimal() else key for key in keys.split(".")]
        part: Any = header
        for key in groups:
            part = part[key]
        part[last] = value

    return change


HOSTILE = {
    "spacing 0": (at("metadata.levels.0.voxel_spacing_mm", 0), r"levels\[0\]\.voxel_spacing_mm"),
    "spacing NaN": (at("metadata.levels.0.voxel_spacing_mm", float("nan")), "voxel_spacing_mm"),
    "spacing infinite": (at("metadata.levels.1.cell_spacing_mm", float("inf")), "cell_spacing_mm"),
    "spacing a text": (at("metadata.levels.0.voxel_spacing_mm", "2"), "must be a number, not '2'"),
    "levels that do not nest": (at("metadata.levels.1.voxel_spacing_mm", 5.0), "level"),
    "no levels": (at("metadata.levels", []), "levels"),
    "levels none": (at("metadata.levels", None), "levels"),
    "dimension huge": (at("metadata.levels.0.dimension", 10**400), "dimension"),
    "dimension other": (at("metadata.levels.0.dimension", 9), "levels"),
    "modality missing": (lambda header: header["metadata"].pop("modality") and None, "'modality' is missing"),
    "four axes": (at("metadata.modality.spatial_axes", 4), "spatial_axes"),
    "two axes": (at("metadata.modality.spatial_axes", 2), "spatial_axes"),
    "window upside down": (at("metadata.modality.normalisation.windows", [[3, 1]]), "low to high"),
    "no window": (at("metadata.modality.normalisation.windows", []), "windows"),
    "padding": (at("metadata.modality.padding_value", 50000), "padding_value"),
    "unknown field": (at("metadata.modality.colour", "red"), "unknown field 'colour'"),
    "limit 0": (at("metadata.error_limit_mm", 0), "error_limit_mm"),
    "limit true": (at("metadata.error_limit_mm", True), "error_limit_mm"),
    "no profile": (at("metadata.matching", {}), "profile"),
    "candidates half": (at("metadata.matching.fast.search.candidates", 2.5), "a whole number"),
    "candidates 10^9": (at("metadata.matching.fast.search.candidates", 10**9), "from 1 to 32"),
    "kernels shrink": (at("metadata.matching.fast.prediction.kernel_mm", [9, 8]), "kernel_mm"),
    "no kernel": (at("metadata.matching.fast.prediction.kernel_mm", []), "kernel_mm"),
    "steps": (at("metadata.matching.accurate.refinement.steps", []), "evidence_step"),
    "threshold": (
        at("metadata.calibration", {"fast": {"intercept": 0, "weights": {}, "found": 7, "missing": 0}}),
        "found",
    ),
    "weight": (
        at("metadata.calibration", {"fast": {"intercept": 0, "weights": {"fine": None}}}),
        r"weights\.fine",
    ),
    "training": (at("metadata.training", [1]), "training"),
    "metadata a list": (at("metadata", []), "damaged"),
    "format 99": (at("metadata.format_version", 99), "model format 99, .* reads 2 and 3"),
    "network": (at("network.levels", []), "levels"),
    "network's channels": (at("network.levels.0.branch.channels", [10**9, 4, 4]), "channels"),
    "network larger than its weights": (at("network.levels.0.branch.channels", [1024] * 3), "size mismatch"),
    "checksum": (at("tensors_sha256", "0" * 64), "not those that were written"),
    "not JSON": (lambda header: "{not json", "damaged"),
    "a number": (lambda header: "17", "no group of fields"),
    "deep": (lambda header: "[" * 100_000, "damaged"),
}


@pytest.mark.parametrize(("change", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_wrong_field_is_refused_by_name(model_path, tmp_path, change, words):
    path = with_header(model_path, tmp_path / "model.safetensors", change)
    with pytest.raises(ModelError, match=rf"(?s)model\.safetensors.*{words}|{words}.*model\.safetensors"):
        EmbeddingModel.load(path, "cpu")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_cut_or_changed_file_is_refused(model_path, tmp_path, share):
    contents, path = model_path.read_bytes(), tmp_path / "bad.safetensors"
    place = int(share * len(contents))
    path.write_bytes(contents[:place])
    with pytest.raises(ModelError, match=r"bad\.safetensors.*damaged"):
        EmbeddingModel.load(path, "cpu")
    path.write_bytes(contents[:place] + bytes([contents[place] ^ 0x55]) + contents[place + 1 :])
    with pytest.raises(ModelError, match=r"bad\.safetensors"):
        EmbeddingModel.load(path, "cpu")


def test_a_header_that_claims_to_be_endless_is_refused_at_once(tmp_path):
    path = tmp_path / "endless.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(ModelError, match=r"endless\.safetensors.*damaged"):
        EmbeddingModel.load(path, "cpu")
    with pytest.raises(ModelError, match=r"endless\.safetensors"):
        read_model_card(path)


def test_weights_that_compute_something_else_are_refused(model_path, tmp_path):
    """As on a machine whose arithmetic is broken: the file is intact, the embeddings are not those of the export."""
    network, metadata, vectors = parse_model_file(model_path.read_bytes(), model_path)
    mixed = tmp_path / "mixed.pt"
    turned = vectors | {"fine": vectors["fine"].flip(-1)}
    write_model_file(mixed, network, metadata, turned)
    with pytest.raises(
        ModelError, match=r"mixed\.pt: the fine embeddings computed on this machine \(cpu\) differ"
    ):
        EmbeddingModel.load(mixed, "cpu")


def test_weights_that_are_not_finite_are_refused(model_path, tmp_path):
    network, metadata, vectors = parse_model_file(model_path.read_bytes(), model_path)
    path = tmp_path / "nan.safetensors"
    write_model_file(path, network, metadata, vectors | {"values": vectors["values"] * np.nan})
    with pytest.raises(ModelError, match=r"nan\.safetensors.*finite"):
        EmbeddingModel.load(path, "cpu")


def test_metadata_and_card_come_back_as_they_were_written(model_path, tmp_path):
    metadata = EmbeddingModel.load(model_path, "cpu").metadata
    assert metadata.modality == CT
    assert metadata.matching == PROFILES
    assert ModelMetadata.from_json(json.loads(json.dumps(metadata.to_json()))) == metadata
    card = read_model_card(model_path)
    assert (card.version, card.trained, card.scans, card.modality) == ("1.0", "2026-11-29", 2, "CT")
    changed = rewrite_metadata(model_path, tmp_path / "changed.safetensors", error_limit_mm=4.0)
    assert EmbeddingModel.load(tmp_path / "changed.safetensors", "cpu").metadata == changed
    assert (changed.error_limit_mm, changed.levels) == (4.0, metadata.levels)


def test_options_and_modality_survive_json():
    options = MatchingOptions().changed(search={"candidates": 2}, refinement={"enabled": False})
    assert MatchingOptions.from_json(json.loads(json.dumps(options.to_json()))) == options
    assert Modality.from_json(json.loads(json.dumps(CT.to_json()))) == CT
    assert MatchingOptions.from_json({}) == MatchingOptions()


def test_levels_whose_voxels_differ_threefold_can_be_written(tmp_path):
    path = toy_model(tmp_path, RADIOGRAPH, (1.0, 3.0))
    assert [level.cell_spacing_mm for level in EmbeddingModel.load(path, "cpu").metadata.levels] == [2.0, 6.0]
