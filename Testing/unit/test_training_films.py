"""Radiographs: films of any exposure and pixel size, flat views with exact correspondences, training in the plane."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch

from SAMLandmarkLib.core import modality as known
from SAMLandmarkLib.core.geometry import CanonicalGrid
from SAMLandmarkLib.core.resampling import resample_to_grid
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.models.bundle import EmbeddingModel
from SAMLandmarkLib.training.checkpoint import finished
from SAMLandmarkLib.training.command import TrainingRequest, run_training
from SAMLandmarkLib.training.config import FILM_COARSE, FILM_FINE, TrainingConfig
from SAMLandmarkLib.training.film_appearance import OUTSIDE_FILM, vary_film
from SAMLandmarkLib.training.modalities import RADIOGRAPH
from SAMLandmarkLib.training.pairs import draw_pair
from SAMLandmarkLib.training.pool import VolumePool
from SAMLandmarkLib.training.views import random_map
from SAMLandmarkLib.utils.errors import UsageError

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
UNNORMALISED = dataclasses.replace(
    known.RADIOGRAPH, normalisation=known.InputNormalisation(windows=((0.0, 1.0),))
)
PIXEL_MM = 1.0
SMALL_COARSE = dataclasses.replace(FILM_COARSE, patch_kji=(1, 96, 96))


def square_pixels(image: np.ndarray, spacing_xy: tuple[float, float]) -> np.ndarray:
    """An image with pixels of PIXEL_MM."""
    grid = CanonicalGrid.covering(np.diag([*spacing_xy, 1, 1]), (*image.shape[::-1], 1), PIXEL_MM, 2)
    image = (image - image.min()) / np.ptp(image)
    return resample_to_grid(image[None], np.diag([*spacing_xy, 1, 1]), grid, known.RADIOGRAPH)[0]


def write_picture(path: Path, image: np.ndarray) -> None:
    grey = (255 * image).round().astype(np.uint8)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(grey), str(path))


@pytest.fixture(scope="module")
def films(sample_folder, tmp_path_factory) -> Path:
    """Two films made from the sample scans: their attenuation summed along y, 1 mm pixels, as PNG and as JPEG."""
    folder = tmp_path_factory.mktemp("films")
    for name, suffix in (("template", "png"), ("followup", "jpg")):
        volume = SimpleITK.ReadImage(str(sample_folder / f"{name}.nii.gz"))
        hu = SimpleITK.GetArrayFromImage(volume).astype(np.float32)
        x_mm, _, z_mm = volume.GetSpacing()
        attenuation = np.clip(hu + 1000, 0, 2500).sum(axis=1)[::-1]
        write_picture(folder / f"{name}.{suffix}", square_pixels(attenuation, (x_mm, z_mm)))
    return folder


@pytest.fixture(scope="module")
def pool(films) -> VolumePool:
    spacings = [level.spacing_mm for level in TrainingConfig.of("radiograph").levels.values()]
    return VolumePool.read(films, {}, CPU, RADIOGRAPH, spacings, PIXEL_MM)


def test_films_are_read_at_every_level(pool):
    assert [volume.name for volume in pool.volumes] == ["followup", "template"]
    shapes = {spacing: tuple(values.shape) for spacing, values in pool.volumes[0].values.items()}
    depth, height, width = shapes[0.4]
    assert depth == 1 and min(height, width) > 400
    assert shapes[1.2] == (1, -(-height // 3), -(-width // 3))
    assert pool.volumes[0].values[0.4].dtype == torch.float16


def test_pixel_spacing_is_asked_for(films):
    with pytest.raises(UsageError, match="how large a pixel of the films is: --pixel-spacing MM"):
        VolumePool.read(films, {}, CPU, RADIOGRAPH, [0.4])


def test_what_is_no_film_is_left_out_and_logged(films, tmp_path, caplog):
    (tmp_path / "good.png").write_bytes((films / "template.png").read_bytes())
    (tmp_path / "bad.png").write_bytes(b"no film")
    pool = VolumePool.read(tmp_path, {}, CPU, RADIOGRAPH, [1.2], PIXEL_MM)
    assert [volume.name for volume in pool.volumes] == ["good"]
    assert "bad.png" in caplog.text


@pytest.mark.parametrize("to_mm", [0.5, 0.4, 1.0, 0.3])
def test_resampling_keeps_places(to_mm):
    """A film whose grey value is its own position in mm."""
    rows, columns = np.mgrid[0:120, 0:90]
    film = ((rows + 0.5) + 1000 * (columns + 0.5)) * 0.3 / 30000
    volume = Volume(film[None].astype(np.float32), np.diag([0.3, 0.3, 1, 1]), modality=UNNORMALISED)
    small = volume.canonical(to_mm)
    y, x = np.mgrid[2 : small.array.shape[1] - 2, 2 : small.array.shape[2] - 2]
    places = small.grid.lps_from_index(np.stack([x, y, np.zeros_like(x)], axis=-1))
    expected = (places[..., 1] + 0.15 + 1000 * (places[..., 0] + 0.15)) / 30000
    np.testing.assert_allclose(small.array[0, 2:-2, 2:-2], expected, rtol=1e-3, atol=0.1 / 30000)


def test_exposure_does_not_matter():
    film = np.random.default_rng(1).random((1, 50, 40)) * 200
    normalised = known.RADIOGRAPH.normalised(film)
    np.testing.assert_allclose(normalised, known.RADIOGRAPH.normalised(film * 12 + 300), atol=1e-5)
    assert 0.99 <= np.percentile(normalised, 99.5) <= 1.01


@pytest.mark.parametrize("level", [FILM_FINE, SMALL_COARSE], ids=["fine", "coarse"])
def test_flat_maps_stay_in_the_plane_and_have_an_inverse(level):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        config = TrainingConfig.of("radiograph")
        patch_map = random_map(np.array([90.0, 80.0, 0.0]), level, config, rng, CPU)
        grid = patch_map.grid()
        assert (grid[..., 2] == 0).all()
        index = torch.as_tensor(rng.integers(0, level.patch_kji[::-1], (500, 3)))
        x, y, z = index.T
        error = (patch_map.to_patch(grid[z, y, x]) - index).norm(dim=1)
        assert error.max() < 0.1


def test_corresponding_points_of_films_show_the_same(pool):
    config = TrainingConfig.of("radiograph")
    differences, shuffled = [], []
    for seed in range(4):
        pair = draw_pair(pool, SMALL_COARSE, config, np.random.default_rng(seed), appearance=False)
        values = []
        for image, index in ((pair.image_a, pair.index_a), (pair.image_b, pair.index_b)):
            x, y, z = index.round().long().T
            values.append(image[z, y, x])
        differences.append((values[0] - values[1]).abs().median())
        shuffled.append((values[0] - values[1].roll(7)).abs().median())
    assert np.median(differences) < 0.35 * np.median(shuffled)


def test_looks_change_but_the_outside_stays_outside(pool):
    film = pool.volumes[0].values[1.2].float()
    film = torch.nn.functional.pad(film, [10, 10, 10, 10], value=OUTSIDE_FILM)
    for seed in range(8):
        varied = vary_film(
            film, dataclasses.replace(SMALL_COARSE, cut_share=0.0), np.random.default_rng(seed)
        )
        assert torch.equal(varied <= OUTSIDE_FILM / 2, film <= OUTSIDE_FILM / 2)
        assert not torch.allclose(varied, film)
    cut = vary_film(film, dataclasses.replace(SMALL_COARSE, cut_share=1.0), np.random.default_rng(3))
    assert (cut == OUTSIDE_FILM).sum() > (film == OUTSIDE_FILM).sum()


def test_training_on_films_learns_and_is_validated_by_cycles(films, tmp_path):
    branch = {"channels": [8, 16, 24], "blocks": [1, 1, 1], "dimension": 16}
    config = tmp_path / "films.json"
    config.write_text(
        json.dumps(
            {
                "modality": "radiograph",
                "coarse": {"patch_kji": [1, 96, 96], "network": branch},
                "whole": {"network": branch},
                "fine": None,
                "pairs_per_step": 2,
                "warmup_steps": 5,
                "validation_volumes": ["template", "followup"],
            }
        )
    )
    rows: list[dict] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("SAMLandmarkLib.training.trainer.LOG_STEPS", 12)
        model = run_training(
            TrainingRequest(
                films, tmp_path / "run", steps=24, config=config, device="cpu", pixel_spacing_mm=PIXEL_MM
            ),
            rows.append,
        )
    assert rows[1]["coarse_loss"] < rows[0]["coarse_loss"]
    assert rows[1]["whole_loss"] < rows[0]["whole_loss"]
    loaded = EmbeddingModel.load(model, "cpu")
    assert loaded.modality == known.RADIOGRAPH
    assert [level.voxel_spacing_mm for level in loaded.metadata.levels] == [1.2, 4.8]
    assert loaded.metadata.error_limit_mm == 4.0
    network, training = finished([tmp_path / "run"])
    assert [(level.name, level.branch.spatial_axes) for level in network.levels] == [
        ("coarse", 2),
        ("whole", 2),
    ]
    assert training["config"]["modality"] == "radiograph"
    (validated,) = [
        json.loads(line) for line in (tmp_path / "run" / "validation.jsonl").read_text().splitlines()
    ]
    assert validated["step"] == 24
    assert 0 <= validated["summed_median_mm"] < 150


def test_a_configuration_of_another_modality_is_refused(tmp_path):
    path = tmp_path / "films.json"
    path.write_text('{"modality": "radiograph"}')
    with pytest.raises(UsageError, match="the configuration is for radiograph, but ct was asked for"):
        TrainingConfig.read(path, "ct")
    with pytest.raises(
        UsageError, match="Unknown modality 'us' to train; known are ct, radiograph, mr-brain"
    ):
        TrainingConfig.of("us")
