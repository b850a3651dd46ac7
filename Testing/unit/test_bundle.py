"""The model file: what is written is read, and what is wrong is refused with a message that helps."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
import torch
from format_2_models import VERSION, write_format_2

from SAMLandmarkLib.models.bundle import EmbeddingModel, ModelMetadata, export_bundle, rewrite_metadata
from SAMLandmarkLib.models.device import choose_device
from SAMLandmarkLib.models.model_card import read_model_card
from SAMLandmarkLib.models.network import BranchConfig, SamNetwork
from SAMLandmarkLib.models.registry import REGISTRY, bundled_model
from SAMLandmarkLib.utils.errors import ModelError, UsageError
from SAMLandmarkLib.utils.files import sha256_of

SMALL = BranchConfig(channels=(8, 12, 16, 16), blocks=(1, 1, 1, 1), dimension=8)


def small_network(seed: int = 1) -> SamNetwork:
    torch.manual_seed(seed)
    return SamNetwork(SMALL, SMALL).eval()


@pytest.fixture(scope="module")
def model_path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("Modèle d'essai") / "modèle.pt"
    export_bundle(small_network(), path, ModelMetadata(version="test", training={"steps": 3}))
    return path


@pytest.fixture(scope="module")
def format_2(tmp_path_factory) -> Path:
    return write_format_2(tmp_path_factory.mktemp("format 2") / "old.pt")


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
    assert (model.embed_level(0, hu) * expected).sum(dim=-1).min() > 0.97
    assert model.metadata.version == "test"
    assert model.metadata.training == {"steps": 3}
    assert [level.dimension for level in model.metadata.levels] == [8, 8]
    assert re.fullmatch("[0-9a-f]{64}", model.checksum)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere\.pt.*cannot be read.*--model"):
        EmbeddingModel.load(tmp_path / "nowhere.pt", "cpu")


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_truncated_file_is_refused(model_path, format_2, tmp_path, keep):
    for source in (model_path, format_2):
        path = tmp_path / "cut.pt"
        path.write_bytes(source.read_bytes()[:keep])
        with pytest.raises(ModelError, match=r"cut\.pt.*damaged"):
            EmbeddingModel.load(path, "cpu", trust_model=True)


def test_foreign_torchscript_is_refused(tmp_path):
    path = tmp_path / "foreign.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with pytest.raises(ModelError, match=r"foreign\.pt.*did not come with SAMLandmark.*--trust-model"):
        EmbeddingModel.load(path, "cpu")
    with pytest.raises(ModelError, match=r"foreign\.pt.*not one made by"):
        EmbeddingModel.load(path, "cpu", trust_model=True)


def test_torchscript_of_an_unknown_checksum_is_loaded_only_where_it_is_trusted(format_2):
    with pytest.raises(ModelError, match=r"old\.pt.*--trust-model"):
        EmbeddingModel.load(format_2, "cpu")
    assert EmbeddingModel.load(format_2, "cpu", trust_model=True).metadata.version == VERSION


def test_a_model_of_format_2_in_format_3_computes_the_same_but_for_the_rounding_of_its_weights(
    format_2, tmp_path
):
    path = tmp_path / "new.safetensors"
    rewrite_metadata(format_2, path, trust_model=True)
    old, new = EmbeddingModel.load(format_2, "cpu", trust_model=True), EmbeddingModel.load(path, "cpu")
    assert new.metadata.to_json() | {"format_version": 2} == old.metadata.to_json()
    values = torch.randn(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(3)) * 300
    for level in range(2):
        cosines = (new.embed_level(level, values).float() * old.embed_level(level, values).float()).sum(-1)
        assert cosines.mean() > 0.999
        assert cosines.min() > 0.98
    deep = new.deepen(new.reduce(values))
    torch.testing.assert_close(new.finish(values, deep), new.embed_level(0, values), atol=4e-3, rtol=0)


def test_other_format_version_is_refused(format_2, tmp_path):
    def newer(contents: bytes) -> bytes:
        return json.dumps(json.loads(contents) | {"format_version": 99}).encode()

    path = rewritten(format_2, tmp_path / "newer.pt", "samlandmark.json", newer)
    with pytest.raises(ModelError, match=r"newer\.pt: model format 99, .* reads 2"):
        EmbeddingModel.load(path, "cpu", trust_model=True)


@pytest.mark.parametrize(
    "change",
    [b"[]", b"{", b'{"format_version": 2}', b'{"format_version": 2, "spacing_mm": "two"}'],
    ids=["a list", "cut", "empty", "wrong type"],
)
def test_damaged_metadata_of_format_2_are_refused(format_2, tmp_path, change):
    path = rewritten(format_2, tmp_path / "odd.pt", "samlandmark.json", lambda contents: change)
    with pytest.raises(ModelError, match=r"odd\.pt"):
        EmbeddingModel.load(path, "cpu", trust_model=True)


def test_damaged_test_vector_is_refused(format_2, tmp_path):
    path = rewritten(format_2, tmp_path / "bent.pt", "test_vector.npz", lambda contents: contents[:-1] + b"x")
    with pytest.raises(ModelError, match=r"bent\.pt: the test vector inside is damaged"):
        EmbeddingModel.load(path, "cpu", trust_model=True)


def test_unknown_and_absent_devices_are_refused():
    with pytest.raises(UsageError, match="Unknown device 'tpu9'"):
        choose_device("tpu9")
    with pytest.raises(UsageError, match="Unsupported device 'meta'"):
        choose_device("meta")
    with pytest.raises(UsageError, match="'cuda:63' is not available"):
        choose_device("cuda:63")
    assert choose_device("cpu").type == "cpu"


def test_bundled_model_is_small_and_tells_where_it_comes_from():
    assert bundled_model().stat().st_size <= 14e6
    assert bundled_model("radiograph").stat().st_size <= 3e6
    metadata = EmbeddingModel.load(device="cpu").metadata
    assert metadata.training["steps"] > 0
    assert {"command", "run", "config", "volumes"} <= metadata.training.keys()
    assert metadata.training["run"]["commit"]


def test_every_bundled_model_is_the_one_that_the_registry_knows():
    for modality in REGISTRY.modalities:
        assert sha256_of(REGISTRY.model(modality).path) == REGISTRY.model(modality).sha256
        assert EmbeddingModel.load(bundled_model(modality), "cpu").modality.name == modality
    with pytest.raises(ModelError, match="no bundled model for the modality 'moonlight'; choose ct"):
        bundled_model("moonlight")


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
