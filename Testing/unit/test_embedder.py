"""Embedding of real scans: slabs, orientations, look-up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.embedder import Embedder
from SAMLandmarkLib.models.bundle import EmbeddingModel
from SAMLandmarkLib.utils.errors import UsageError

MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def model() -> EmbeddingModel:
    return EmbeddingModel.load(device="cpu")


@pytest.fixture(scope="module")
def part(sample_template) -> Volume:
    """The middle of the bundled template, 150 x 150 x 172 mm: small enough to be embedded many times."""
    array = sample_template.array[:, 70:170, 70:170]
    ijk_to_lps = sample_template.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] = sample_template.lps_from_index([70, 70, 0])
    return Volume(array, ijk_to_lps, "part")


@pytest.fixture(scope="module")
def points(part) -> np.ndarray:
    index = np.random.default_rng(4).uniform(15, np.array(part.size_ijk) - 15, (60, 3))
    return part.lps_from_index(index)


def test_grids_cover_the_volume(model, part):
    embedding = Embedder(model).embed(part)
    for level, spacing in zip(embedding.levels, (4.0, 8.0), strict=True):
        assert level.grid.spacing_mm == spacing
        assert level.vectors.shape[:3] == level.grid.shape_kji
        first_edge = level.grid.origin_lps - spacing / 2
        np.testing.assert_allclose(first_edge, part.lps_from_index([-0.5, -0.5, -0.5]), atol=1e-6)


@pytest.mark.every_processor
def test_slabs_give_the_embedding_of_the_whole(model, part, points):
    """Exact seams: what differs is only the rounding of another order of summation."""
    whole = Embedder(model).embed(part)
    slabs = Embedder(model, max_memory=40 * MEBIBYTE).embed(part)
    cosine = (whole.finest.at(points) * slabs.finest.at(points)).sum(dim=1)
    assert cosine.min() > 0.999
    assert (whole.finest.vectors.float() - slabs.finest.vectors.float()).abs().max() < 0.05


def test_too_little_memory_says_how_much_is_needed(model, part):
    with pytest.raises(
        UsageError, match=r"memory limit of 5 MiB is too small .* at least \d+ MiB \(--max-memory\)"
    ):
        Embedder(model, max_memory=5 * MEBIBYTE).embed(part)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)], ids=["flipped", "permuted and flipped"])
def test_storage_order_does_not_matter(model, part, points, axes):
    array = part.array.transpose(axes)[::-1, :, ::-1]
    columns = [2 - axis for axis in axes][::-1]  # which of i, j, k each new index axis is
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = part.ijk_to_lps[:3, columns] * (-1, 1, -1)
    corner = np.zeros(3)
    corner[columns[0]], corner[columns[2]] = array.shape[2] - 1, array.shape[0] - 1
    ijk_to_lps[:3, 3] = part.lps_from_index(corner)
    turned = Embedder(model).embed(Volume(np.ascontiguousarray(array), ijk_to_lps, "turned"))
    straight = Embedder(model).embed(part)
    assert (straight.finest.at(points) * turned.finest.at(points)).sum(dim=1).min() > 0.99
    assert (straight.searched.at(points) * turned.searched.at(points)).sum(dim=1).min() > 0.99


def test_look_up_interpolates_between_cells(model, part):
    level = Embedder(model).embed(part).finest
    here, there = level.grid.lps_from_index([[10, 11, 12], [11, 11, 12]])
    middle = level.at(((here + there) / 2)[None])[0]
    ends = level.vectors[12, 11, 10].float() + level.vectors[12, 11, 11].float()
    torch.testing.assert_close(middle, ends / ends.norm(), atol=2e-3, rtol=0)


def test_air_around_the_body_is_not_embedded(model, part, points):
    """A scan reconstructed over a much wider field gives the same vectors on a grid that is hardly larger."""
    wide = np.full((part.array.shape[0], 300, 320), -1000, dtype=np.int16)
    wide[:, 90:190, 100:200] = part.array
    ijk_to_lps = part.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] = part.lps_from_index([-100, -90, 0])
    embedding = Embedder(model).embed(Volume(wide, ijk_to_lps, "wide"))
    narrow = Embedder(model).embed(part)
    assert embedding.finest.vectors.numel() < 2 * narrow.finest.vectors.numel()
    inner = points[part.distance_to_border_mm(points) > 40.0]
    cosine = (embedding.finest.at(inner) * narrow.finest.at(inner)).sum(dim=1)
    assert len(inner) >= 10
    assert cosine.mean() > 0.9
    assert embedding.field_of_view.distance_to_border_mm(part.lps_from_index([[-50, 50, 20]]))[0] > 0


def test_a_scan_of_air_is_embedded_as_it_is(model):
    air = Volume(np.full((20, 30, 40), -1000, dtype=np.int16), np.diag([2.0, 2.0, 2.0, 1.0]), "air")
    embedding = Embedder(model).embed(air)
    assert embedding.finest.grid.size_ijk == (20, 15, 10)
    assert len(embedding.support_points_lps) == 0
