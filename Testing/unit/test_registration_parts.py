"""The parts of a registration, each on inputs with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from SAMLandmarkLib.core.geometry import CanonicalGrid, FieldOfView, transform_points
from SAMLandmarkLib.embedding.mind import mind
from SAMLandmarkLib.registration.affine import fit_affine
from SAMLandmarkLib.registration.bspline import fit_spline
from SAMLandmarkLib.registration.convex import convex_field
from SAMLandmarkLib.registration.features import ScanFeatures
from SAMLandmarkLib.registration.fields import composed, identity, inverted, jacobian, sample, unfolded
from SAMLandmarkLib.registration.instance import OptimisationSettings, optimised_field
from SAMLandmarkLib.utils.errors import RegistrationError

AFFINE = np.array(
    [[1.1, 0.05, 0.0, 30.0], [-0.02, 0.95, 0.1, -60.0], [0.03, 0.0, 1.02, 12.0], [0, 0, 0, 1.0]]
)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(4)


def _smooth(values: torch.Tensor, times: int = 4) -> torch.Tensor:
    for _ in range(times):
        values = torch.nn.functional.avg_pool3d(values[None], 3, stride=1, padding=1)[0]
    return values


def test_the_affine_map_is_found_among_wrong_correspondences(random):
    points = random.uniform(-150, 150, (400, 3))
    found = transform_points(AFFINE, points) + random.normal(scale=2.0, size=points.shape)
    found[:150] = random.uniform(-150, 150, (150, 3))
    fit = fit_affine(points, found, np.ones(400), searched=400)
    error_mm = np.linalg.norm(
        transform_points(fit.template_to_target, points) - transform_points(AFFINE, points), axis=1
    )
    assert error_mm.max() < 1.5
    assert (fit.inlier_weight[150:] > 0).all()


def test_a_region_matched_as_a_whole_to_another_one_does_not_move_the_affine_map(random):
    points = random.uniform(-150, 150, (400, 3))
    found = transform_points(AFFINE, points)
    elsewhere = points[:, 2] > 80
    found[elsewhere] += (0.0, 0.0, 120.0)
    fit = fit_affine(points, found, np.ones(400), searched=400)
    error_mm = np.linalg.norm(
        transform_points(fit.template_to_target, points) - transform_points(AFFINE, points), axis=1
    )
    assert error_mm.max() < 1.0


def test_too_few_consistent_correspondences_are_refused(random):
    points = random.uniform(-150, 150, (40, 3))
    with pytest.raises(RegistrationError, match=r"only 40 of 1500 points .* same part of the body"):
        fit_affine(points, points, np.ones(40), searched=1500)


def test_correspondences_that_agree_on_nothing_are_refused(random):
    points, found = random.uniform(-300, 300, (2, 500, 3))
    with pytest.raises(RegistrationError, match="consistent correspondence"):
        fit_affine(points, found, np.ones(500), searched=1500)


def test_correspondences_in_one_plane_are_refused(random):
    points = random.uniform(-150, 150, (400, 3)) * (1.0, 1.0, 0.01)
    with pytest.raises(RegistrationError, match="thick; give scans that overlap more"):
        fit_affine(points, points, np.ones(400), searched=400)


def test_the_spline_follows_a_smooth_displacement_and_not_its_outliers(random):
    points = random.uniform(0, 200, (2000, 3))

    def displacement(places):
        return np.stack(
            [6 * np.sin(places[:, 1] / 40), 5 * np.cos(places[:, 2] / 45), 4 * np.sin(places[:, 0] / 50)], 1
        )

    seen = displacement(points) + random.normal(scale=1.0, size=points.shape)
    seen[::20] += 25.0
    region = CanonicalGrid(np.zeros(3), 4.0, (50, 50, 50))
    splines = fit_spline(points, seen, np.ones(2000), region)
    places = random.uniform(20, 180, (500, 3))
    error_mm = np.linalg.norm(sum(spline.at(places) for spline in splines) - displacement(places), axis=1)
    assert np.median(error_mm) < 0.8
    on_grid = sum(spline.on_grid(region) for spline in splines)
    cell = np.array([[30.0, 20.0, 10.0]])
    at_cell = sum(spline.at(region.lps_from_index(cell)) for spline in splines)
    np.testing.assert_allclose(on_grid[10, 20, 30], at_cell[0], atol=1e-6)


def test_mind_does_not_depend_on_gain_and_offset():
    image = _smooth(torch.randn(1, 24, 24, 24, generator=torch.Generator().manual_seed(0)), 1)[0] * 100
    own, changed = mind(image), mind(-2 * image + 300)
    assert own.shape == (12, 24, 24, 24) and own.min() >= 0 and own.max() <= 1
    torch.testing.assert_close(own, changed, atol=1e-3, rtol=0)
    assert (own - mind(image.flip(0))).abs().mean() > 0.05


def test_the_convex_step_finds_a_shift_by_whole_cells():
    features = torch.randn(6, 26, 26, 26, generator=torch.Generator().manual_seed(1))
    moving = features.roll((2, -1, 1), dims=(1, 2, 3))
    field = convex_field(features, moving, torch.ones(26, 26, 26), radius=2)
    inner = field[:, 8:-8, 8:-8, 8:-8]
    expected = torch.tensor([2.0, -1.0, 1.0]).view(3, 1, 1, 1).expand_as(inner)
    torch.testing.assert_close(inner, expected, atol=0.05, rtol=0)


def test_instance_optimisation_finds_a_smooth_field():
    generator = torch.Generator().manual_seed(2)
    moving = _smooth(torch.randn(8, 32, 32, 32, generator=generator), 2) * 4
    truth = _smooth(torch.randn(3, 32, 32, 32, generator=generator), 12)
    truth = truth / truth.std() * 0.6
    fixed = sample(moving, identity((32, 32, 32)) + truth)
    settings = OptimisationSettings(diffusion=0.05)
    found = optimised_field(fixed, moving, torch.ones(32, 32, 32), torch.zeros_like(truth), settings)
    inner = (slice(None), *(slice(6, -6),) * 3)
    error = (found - truth)[inner].norm(dim=0)
    assert error.median() < 0.15 < truth[inner].norm(dim=0).median()


def test_sampling_interpolates_and_repeats_the_border():
    values = identity((5, 6, 7))
    index = torch.tensor([[1.5, 2.0, 9.0], [0.0, 3.25, -4.0], [5.0, 6.0, 2.0]])
    expected = torch.tensor([[1.5, 2.0, 4.0], [0.0, 3.25, 0.0], [5.0, 6.0, 2.0]])
    torch.testing.assert_close(sample(values, index), expected, atol=1e-4, rtol=0)


def test_the_jacobian_of_a_linear_map_is_its_determinant():
    linear = torch.tensor([[0.2, 0.1, 0.0], [0.0, -0.3, 0.1], [0.2, 0.0, 0.1]])
    field = torch.einsum("ab,bzyx->azyx", linear, identity((6, 6, 6)))
    determinant = torch.linalg.det(linear + torch.eye(3))
    torch.testing.assert_close(jacobian(field), determinant.expand(5, 5, 5), atol=1e-4, rtol=0)


def test_folds_are_smoothed_away_and_the_rest_stays():
    field = torch.zeros(3, 24, 24, 24)
    field[0, 12] = -3.0
    field[1] = 0.1 * identity((24, 24, 24))[1]
    assert (jacobian(field) < 0).any()
    found = unfolded(field)
    assert jacobian(found).min() >= 0.1
    torch.testing.assert_close(found[:, :3], field[:, :3], atol=1e-3, rtol=0)


def test_a_field_and_its_inverse_lead_back():
    field = _smooth(torch.randn(3, 30, 30, 30, generator=torch.Generator().manual_seed(3)), 10)
    field = field / field.std() * 0.4
    assert jacobian(field).min() > 0
    inner = (slice(None), *(slice(6, -6),) * 3)
    assert composed(inverted(field), field)[inner].abs().mean() < 0.01


def test_lung_that_reaches_the_border_belongs_to_the_body():
    hu = torch.full((40, 40, 40), -1000, dtype=torch.int16)
    hu[:, 10:30, :30] = 40
    hu[:, 14:26, :20] = -850
    grid = CanonicalGrid(np.zeros(3), 2.0, (40, 40, 40))
    scan = ScanFeatures(hu, grid, (), FieldOfView(grid.ijk_to_lps, grid.size_ijk))
    assert (
        scan.depth_at(np.array([[10.0, 40.0, 40.0], [50.0, 40.0, 40.0], [10.0, 4.0, 40.0]])) > 0
    ).tolist() == [
        True,
        True,
        False,
    ]
    points = scan.points_in_body(200)
    assert 100 < len(points) < 400
    assert (scan.depth_at(points) > 0).all()
