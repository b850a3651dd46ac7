"""The model file: what is written is read, and what is wrong is refused with a message that helps."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
import torch

from SAMLandmarkLib.bundled import bundled_folder
from SAMLandmarkLib.errors import ModelError, UsageError
from SAMLandmarkLib.model.bundle import EmbeddingModel, ModelMetadata, export_bundle
from SAMLandmarkLib.model.device import choose_device
from SAMLandmarkLib.model.model_card import BUNDLED_MODEL_NAME, read_model_card
from SAMLandmarkLib.model.network import BranchConfig, SamNetwork

SMALL = BranchConfig(channels=(8, 12, 16, 16), blocks=(1, 1, 1, 1), dimension=8)


def small_network(seed: int = 1) -> SamNetwork:
    torch.manual_seed(seed)
    return SamNetwork(SMALL, SMALL).eval()


@pytest.fixture(scope="module")
def model_path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("Modèle d'essai") / "modèle.pt"
    export_bundle(small_network(), path, ModelMetadata(version="test", training={"steps": 3}))
    return path


def rewritten(source: Path, path: Path, name: str, change) -> Path:
    """A copy of a model file in which one member is changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for item in old.infolist():
            contents = old.read(item)
            new.writestr(item, change(contents) if item.filename.endswith(name) else contents)
    return path


def test_export_and_load_keep_weights_and_metadata(model_path):
    model = EmbeddingModel.load(model_path, "cpu")
    hu = torch.randn(1, 1, 32, 32, 32) * 300
    with torch.inference_mode():
        expected = small_network().fine(hu)[0].permute(1, 2, 3, 0)
    assert (model.fine(hu) * expected).sum(dim=-1).min() > 0.97
    assert model.metadata.version == "test"
    assert model.metadata.training == {"steps": 3}
    assert (model.metadata.fine_dimension, model.metadata.coarse_dimension) == (8, 8)
    assert re.fullmatch("[0-9a-f]{64}", model.checksum)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere\.pt.*cannot be read.*--model"):
        EmbeddingModel.load(tmp_path / "nowhere.pt", "cpu")


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_truncated_file_is_refused(model_path, tmp_path, keep):
    path = tmp_path / "cut.pt"
    path.write_bytes(model_path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"cut\.pt.*damaged"):
        EmbeddingModel.load(path, "cpu")


def test_foreign_torchscript_is_refused(tmp_path):
    path = tmp_path / "foreign.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with pytest.raises(ModelError, match=r"foreign\.pt.*not one made by"):
        EmbeddingModel.load(path, "cpu")


def test_other_format_version_is_refused(model_path, tmp_path):
    def newer(contents: bytes) -> bytes:
        return json.dumps(json.loads(contents) | {"format_version": 99}).encode()

    path = rewritten(model_path, tmp_path / "newer.pt", "samlandmark.json", newer)
    with pytest.raises(ModelError, match=r"newer\.pt: model format 99, .* reads 2"):
        EmbeddingModel.load(path, "cpu")


def test_damaged_test_vector_is_refused(model_path, tmp_path):
    path = rewritten(
        model_path, tmp_path / "bent.pt", "test_vector.npz", lambda contents: contents[:-1] + b"x"
    )
    with pytest.raises(ModelError, match=r"bent\.pt: the test vector inside is damaged"):
        EmbeddingModel.load(path, "cpu")


def test_weights_that_compute_something_else_are_refused(model_path, tmp_path):
    """As on a machine whose arithmetic is broken: the file is intact, the embeddings are not those of the export."""
    other = tmp_path / "other.pt"
    export_bundle(small_network(seed=2), other, ModelMetadata(version="other"))
    with zipfile.ZipFile(other) as archive:
        weights = {
            Path(name).relative_to(Path(name).parts[0]): archive.read(name) for name in archive.namelist()
        }
    mixed = tmp_path / "mixed.pt"
    with zipfile.ZipFile(model_path) as old, zipfile.ZipFile(mixed, "w", zipfile.ZIP_STORED) as new:
        for item in old.infolist():
            inner = Path(item.filename).relative_to(Path(item.filename).parts[0])
            new.writestr(item, weights[inner] if inner.parts[0] in ("data", "constants") else old.read(item))
    with pytest.raises(
        ModelError, match=r"mixed\.pt: the fine embeddings computed on this machine \(cpu\) differ"
    ):
        EmbeddingModel.load(mixed, "cpu")


def test_unknown_and_absent_devices_are_refused():
    with pytest.raises(UsageError, match="Unknown device 'tpu9'"):
        choose_device("tpu9")
    with pytest.raises(UsageError, match="Unsupported device 'meta'"):
        choose_device("meta")
    with pytest.raises(UsageError, match="'cuda:63' is not available"):
        choose_device("cuda:63")
    assert choose_device("cpu").type == "cpu"


def test_bundled_model_is_small_and_tells_where_it_comes_from():
    path = bundled_folder("Models") / BUNDLED_MODEL_NAME
    assert path.stat().st_size <= 25e6
    metadata = EmbeddingModel.load(device="cpu").metadata
    assert metadata.training["steps"] > 0
    assert {"command", "run", "config", "volumes"} <= metadata.training.keys()
    assert metadata.training["run"]["commit"]


def test_the_card_of_a_model_says_without_torch_what_the_model_says():
    model, card = EmbeddingModel.load(device="cpu"), read_model_card()
    assert (card.version, card.sha256) == (model.metadata.version, model.checksum)
    assert card.trained == model.metadata.training["run"]["date"][:10]
    assert card.scans == sum(map(len, model.metadata.training["volumes"].values()))


def test_a_file_without_a_card_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "text.pt").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("other/data.pkl", b"")
    for name in ("text.pt", "other.pt", "absent.pt"):
        with pytest.raises(ModelError, match=name.replace(".", r"\.")):
            read_model_card(tmp_path / name)
