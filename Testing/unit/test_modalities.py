"""Modalities, numbers of levels and stages that the library does not know: a toy of each needs no special case."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from toy_models import toy_model
from toy_scans import FILM, SHIFT_LPS, SOLID, landmarks_of, scans, texture

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.matching_options import MatchingOptions
from SAMLandmarkLib.core.modality import CT, Modality
from SAMLandmarkLib.core.results import Status
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.embedder import Embedder
from SAMLandmarkLib.embedding.embedding_file import read_embedding, write_embedding
from SAMLandmarkLib.engine.runtime import EngineRuntime
from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.engine.transfer import TransferEngine
from SAMLandmarkLib.evaluation.evaluation_plan import BenchmarkPlan, BenchmarkSettings, run_benchmark
from SAMLandmarkLib.evaluation.sets import find_evaluation_sets
from SAMLandmarkLib.matching.pair import PairMatcher
from SAMLandmarkLib.matching.pipeline import PIPELINE
from SAMLandmarkLib.matching.stages.fuse import fuse
from SAMLandmarkLib.matching.state import MatchState, PairContext
from SAMLandmarkLib.utils.errors import UsageError, VolumeError

pytestmark = pytest.mark.slow

LEVELS = {"one level": (2.0,), "two levels": (2.0, 4.0), "three levels": (2.0, 4.0, 8.0)}
CASES = [(modality, name) for modality in (FILM, SOLID) for name in LEVELS]
IDS = [f"{modality.name}, {name}" for modality, name in CASES]


def _write_test_set(folder: Path, modality: Modality) -> None:
    folder.mkdir()
    template, target = scans(modality)
    marked = landmarks_of(modality, template)
    truth = LandmarkSet.from_points(marked.labels, marked.positions_lps + SHIFT_LPS[modality.spatial_axes])
    for name, volume, points in (("template", template, marked), ("followup", target, truth)):
        image = sitk.GetImageFromArray(volume.array)
        image.SetSpacing((2.0, 2.0, 2.0))
        sitk.WriteImage(image, folder / f"{name}.nii.gz")
        rows = [f"{point.label},{','.join(map(str, point.position_lps))},1" for point in points]
        (folder / f"{name}.csv").write_text("\n".join(["label,x,y,z,quality", *rows]) + "\n")


@pytest.fixture(scope="module", params=CASES, ids=IDS)
def case(request, tmp_path_factory) -> tuple[TransferEngine, Modality]:
    modality, name = request.param
    path = toy_model(tmp_path_factory.mktemp("toy"), modality, LEVELS[name])
    return TransferEngine("cpu", path), modality


def test_transfer_cycle_prediction_and_confidence(case):
    engine, modality = case
    template, target = map(engine.embed, scans(modality))
    marked = landmarks_of(modality, scans(modality)[0])
    truth = marked.positions_lps + SHIFT_LPS[modality.spatial_axes]
    result = engine.transfer(template, marked, target)
    assert len(result) == 6 and all(item.candidates for item in result)
    best = np.array([item.candidates[0].position_lps for item in result])
    assert np.median(np.linalg.norm(best - truth, axis=1)) < 2.0
    assert all(np.isfinite([item.confidence, item.cycle_error_mm, item.similarity]).all() for item in result)
    assert Status.FOUND in {item.status for item in result}
    assert result.provenance["model"]["error_limit_mm"] == 5.0
    matcher = PairMatcher(template, target, engine.options)
    prediction = matcher.predict(marked.positions_lps)
    assert np.linalg.norm(prediction.positions_lps - truth, axis=1).max() < 6.0
    evidence = matcher.match(marked.positions_lps)
    assert np.median(evidence.cycle_error_mm) < 2.0
    assert np.median(evidence.ncc) > 0.8
    if modality.spatial_axes == 2:
        np.testing.assert_allclose(evidence.matches.best_lps[:, 2], 0.0, atol=1e-6)


def test_levels_nest_and_come_back_from_a_file(case, tmp_path):
    engine, modality = case
    embedding = engine.embed(scans(modality)[0])
    assert [level.grid.spacing_mm for level in embedding.levels] == [4.0, 8.0, 16.0][: len(embedding.levels)]
    assert all(level.vectors.shape[:3] == level.grid.shape_kji for level in embedding.levels)
    if modality.spatial_axes == 2:
        assert all(level.grid.size_ijk[2] == 1 for level in embedding.levels)
    with open(tmp_path / "e.npz", "wb") as file:
        write_embedding(file, embedding)
    found = read_embedding(tmp_path / "e.npz")
    assert found.modality == modality
    assert all(torch.equal(a.vectors, b.vectors) for a, b in zip(found.levels, embedding.levels, strict=True))
    point = landmarks_of(modality, scans(modality)[0]).positions_lps[0]
    heat = engine.heat_map(found, point, embedding)
    hottest = np.unravel_index(heat.array.argmax(), heat.array.shape)[::-1]
    assert np.linalg.norm(heat.grid.lps_from_index(hottest) - point) < 6.0


def test_slabs_give_the_embedding_of_the_whole(case):
    engine, modality = case
    volume = scans(modality)[0]
    whole = engine.embed(volume)
    voxels = whole.image.values.numel()
    part = 0.8 if modality.spatial_axes == 2 else 0.95
    limit = int(part * voxels * Embedder(engine.model)._bytes_per_voxel)
    slabs = Embedder(engine.model, limit).embed(volume)
    torch.testing.assert_close(slabs.finest.vectors, whole.finest.vectors, atol=0.05, rtol=0)


def test_evaluate_runs_on_a_test_set(case, tmp_path):
    engine, modality = case
    _write_test_set(tmp_path / "toys", modality)
    plan = BenchmarkPlan.of(BenchmarkSettings(tmp_path, bootstrap=10))
    settings = WorkerSettings(device="cpu", model="the toy", cache_folder=tmp_path / "cache")
    runtime = EngineRuntime(settings, make_engine=lambda *_: engine)
    (run,), document = run_benchmark(runtime, plan)
    assert len(run.records) == 6
    assert document["engine"]["model"]["modality"] == modality.name


def test_another_modality_than_the_models_is_refused(case):
    engine, modality = case
    with pytest.raises(UsageError, match=f"modality CT, but the model embeds {modality.title}"):
        engine.embed(Volume(np.zeros((8, 8, 8), np.int16), np.eye(4), "chest"))


def test_an_image_of_one_slice_is_one_and_lies_flat():
    with pytest.raises(VolumeError, match="it has 3 slices"):
        Volume(np.zeros((3, 8, 8)), np.eye(4), "film", modality=FILM)
    with pytest.raises(VolumeError, match="too few"):
        Volume(np.zeros((1, 8, 8)), np.eye(4), "slice", modality=CT)
    coronal = np.eye(4)[[0, 2, 1, 3]]
    with pytest.raises(VolumeError, match="plane of the axes L and P"):
        Volume(np.zeros((1, 8, 8)), coronal, "film", modality=FILM).canonical(1.0)


def test_a_turned_radiograph_is_resampled_in_its_plane():
    image = texture(2)
    angle = np.deg2rad(20)
    turned = np.eye(4)
    turned[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    canonical = Volume(
        image, turned, "film", modality=replace(FILM, normalisation=SOLID.normalisation)
    ).canonical(1.0)
    assert canonical.array.shape[0] == 1
    index = np.array([80, 70, 0])
    place = canonical.grid.index_from_lps(turned[:3, :3] @ index)
    i, j, k = np.rint(place).astype(int)
    np.testing.assert_allclose(place[2], 0.0, atol=1e-9)
    expected = FILM.normalised(image)[0, 70, 80]
    assert canonical.array[k, j, i] == pytest.approx(expected, abs=60.0)


def test_percentiles_make_the_numbers_of_scanners_comparable():
    image = texture(3)
    np.testing.assert_allclose(SOLID.normalised(image), SOLID.normalised(7 * image + 500), atol=0.1)
    assert SOLID.normalised(image).min() == 0.0 and SOLID.normalised(image).max() == 1000.0


def test_a_stage_is_one_function_and_one_line(tmp_path):
    """A stage that halves every shift; it is put before the fusion, and nothing else knows of it."""
    engine = TransferEngine("cpu", toy_model(tmp_path, FILM, LEVELS["two levels"]))
    template, target = map(engine.embed, scans(FILM))
    points = landmarks_of(FILM, scans(FILM)[0]).positions_lps

    def halve(state: MatchState, context: PairContext, options: MatchingOptions) -> MatchState:
        assert state.matches is not None and context.target is target and options is not None
        return replace(
            state, matches=state.matches.with_best((state.matches.best_lps + state.points_lps) / 2)
        )

    options = engine.options.changed(fusion={"enabled": False})
    plain = PairMatcher(template, target, options)
    place = PIPELINE.index(fuse)
    halved = plain.with_options(options, (*PIPELINE[:place], halve, *PIPELINE[place:]))
    expected = (plain.match(points).matches.best_lps + points) / 2
    np.testing.assert_allclose(halved.match(points).matches.best_lps, expected)


def test_every_way_of_the_ablation_runs_and_patches_nothing(tmp_path):
    ablation = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "ablation.py"))
    _write_test_set(tmp_path / "toys", FILM)
    (evaluation_set,) = find_evaluation_sets(tmp_path, ())
    bench = ablation["Bench"](toy_model(tmp_path, FILM, LEVELS["two levels"]))
    (task,) = ablation["tasks_of"](bench, evaluation_set, 1)
    found = {name: task.match(way) for name, way in ablation["WAYS"].items()}
    assert all(np.isfinite(positions).all() for positions in found.values())
    shipped = found["accurate (as shipped)"]
    assert np.median(np.linalg.norm(shipped - task.truth, axis=1)) < 2.0
    np.testing.assert_array_equal(task.match(ablation["WAYS"]["accurate (as shipped)"]), shipped)
    assert not np.array_equal(found["fast: not refined by the images"], shipped)
    assert not np.array_equal(found["not fused with the prediction"], shipped)
