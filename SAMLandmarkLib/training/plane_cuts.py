"""Exams in planes that follow the anatomy, cut from CT volumes: training data for lines where real exams are few.

The planes are functions of the anatomy, never random ones, or the lines would be noise: the plane that the skeleton is most
symmetric about, planes along and across the vertebral column, and planes through landmarks that thresholds find. Their
geometry is exact, since they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..core.geometry import CanonicalGrid
from ..core.lungs import BODY_FROM_HU
from ..core.modality import CT
from ..core.planes import SlicePlane
from ..core.volume import CanonicalVolume, Volume
from ..io.dicom_slices import SliceLabels, write_slice
from ..io.volume_paths import volume_files, volume_name
from ..utils.errors import SAMLandmarkError, UsageError
from ..utils.files import create_folder
from .pseudo_landmarks import BONE_FROM_HU, pseudo_landmarks

FloatArray = NDArray[np.float64]

SPACING_MM = 2.0
PIXELS = 160
SPINE_HALF_WIDTH_MM = 16.0
SPINE_DEPTH_MM = 55.0
"""From the tips of the spinous processes to the back of the vertebral bodies."""
BODIES_AHEAD_MM, MIDDLE_AHEAD_MM = 25.0, 80.0
"""How far in front of that the vertebral bodies lie, and the middle of the trunk."""
FEWEST_LEVELS = 10
LEAST_BONE_VOXELS = 20
GREATEST_TILT = 0.3
"""Of the plane of symmetry against the scanner's, as a slope; more is no patient on a table."""
LEAST_SYMMETRY = 0.25
"""Share of the mask that its mirror image must meet."""
FEWEST_VOXELS = 500
SYMMETRY_POINTS, SYMMETRY_ROUNDS = 3000, 6
SYMMETRY_BLUR_VOXELS = 2.0


@dataclass(frozen=True)
class Anatomy:
    """What planes are made from, in LPS mm: unit axes of the body and places.

    `left` is across the plane of symmetry, `up` along the vertebral column at its middle, `front` across both; `spine` a
    place in the vertebral canal; `landmarks` are those of `pseudo_landmarks`.
    """

    left: FloatArray
    up: FloatArray
    front: FloatArray
    spine: FloatArray
    height_mm: float
    landmarks: dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class ViewPlanes:
    """The slices of one view."""

    view: str
    planes: list[SlicePlane]
    thickness_mm: float


def cut_exams(data: Path, output: Path, note: Callable[[str], None]) -> int:
    """Write an exam for each CT volume below `data` into a folder of its own in `output`; returns how many there are.

    `note` is told of volumes that show no anatomy to go by. Raises UsageError where none does.
    """
    files = volume_files(data, recursive=True) if data.is_dir() else [data]
    count = 0
    for path in files:
        try:
            sampled = Volume.read(path, modality=CT).canonical(SPACING_MM)
            views = views_of(sampled)
        except SAMLandmarkError as error:
            note(f"{path.name} was left out: {error}")
            continue
        name = volume_name(path)
        write_exam(name, sampled, views, create_folder(output / name))
        note(f"{path.name}: " + ", ".join(f"{view.view} ({len(view.planes)})" for view in views))
        count += 1
    if count == 0:
        raise UsageError(f"{data} holds no CT volume that planes could be cut from.")
    return count


def write_exam(name: str, sampled: CanonicalVolume, views: list[ViewPlanes], folder: Path) -> None:
    """Write the slices of the views as DICOM files, a folder for each view; OutputError where that fails."""
    for number, view in enumerate(views, start=1):
        labels = SliceLabels(name, view.view, number, view.thickness_mm)
        place = create_folder(folder / view.view.replace(" ", "-"))
        for index, plane in enumerate(view.planes, start=1):
            values = sample(sampled.array, sampled.grid, plane)
            write_slice(place / f"{index:03d}.dcm", values, plane, labels, index)


def sample(array: NDArray[np.float32], grid: CanonicalGrid, plane: SlicePlane) -> NDArray[np.float32]:
    """HU `[rows, columns]` of a plane through a volume on a canonical grid, trilinear; air beyond the volume."""
    index = grid.index_from_lps(plane.grid_lps())[..., ::-1]
    values: NDArray[np.float32] = ndimage.map_coordinates(
        array, np.moveaxis(index, -1, 0), order=1, mode="constant", cval=CT.padding_value
    )
    return values


def views_of(sampled: CanonicalVolume) -> list[ViewPlanes]:
    """The views that the anatomy of a CT gives; UsageError where its skeleton does not tell where it is."""
    return list(_views(find_anatomy(sampled)))


def _views(anatomy: Anatomy) -> Iterator[ViewPlanes]:
    left, up, front, middle = anatomy.left, anatomy.up, anatomy.front, anatomy.spine
    ahead, bodies = middle + MIDDLE_AHEAD_MM * front, middle + BODIES_AHEAD_MM * front
    yield ViewPlanes("sagittal", [_plane(ahead + mm * left, front, up) for mm in (-16, -8, 0, 8, 16)], 8.0)
    yield ViewPlanes("coronal", [_plane(bodies + mm * front, left, up) for mm in (-16, -8, 0, 8, 16)], 8.0)
    reach = max(20.0, 0.4 * anatomy.height_mm)
    heights = np.arange(-reach, reach + 1, 12.0)
    yield ViewPlanes("axial", [_plane(ahead + mm * up, left, front) for mm in heights], 12.0)
    for name, places in _named_levels(anatomy.landmarks).items():
        level = np.mean(places, axis=0)
        on_axis = ahead + ((level - ahead) @ up) * up
        yield ViewPlanes(name, [_plane(on_axis, left, front)], 8.0)


def _named_levels(landmarks: dict[str, FloatArray]) -> dict[str, list[FloatArray]]:
    """Places that fix an axial plane, by its name; not the diaphragm, which moves with the breath."""
    pairs = {"lung apices": "lung_apex", "iliac crests": "iliac_crest"}
    levels = {"carina": [landmarks["carina"]]} if "carina" in landmarks else {}
    for view, name in pairs.items():
        sides = [landmarks[f"{name}_{side}"] for side in ("right", "left") if f"{name}_{side}" in landmarks]
        if len(sides) == 2:
            levels[view] = sides
    return levels


def _plane(center: FloatArray, u: FloatArray, top: FloatArray) -> SlicePlane:
    """A square about a place, whose rows lead along `u` and whose upper edge lies towards `top`."""
    v = -top
    half = (PIXELS - 1) / 2 * SPACING_MM
    return SlicePlane(center - half * (u + v), SPACING_MM * u, SPACING_MM * v, PIXELS, PIXELS)


def find_anatomy(sampled: CanonicalVolume) -> Anatomy:
    """Axes and places of the body in a CT; UsageError where there is too little skeleton, or it is not symmetric."""
    hu, grid = sampled.array, sampled.grid
    bone = hu > BONE_FROM_HU
    offset, along_z, along_y = symmetry_plane(_outlines(hu, bone))
    spine = vertebral_column(bone, offset, along_z, along_y)
    origin = np.array([spine["x"], spine["y"], spine["z"]])
    # the plane x = offset + along_z z + along_y y: its normal, and the column's direction made to lie within it
    left = _unit(np.array([1.0, -along_y, -along_z]))
    up = np.array([0.0, spine["slope"], 1.0])
    up = _unit(up - (up @ left) * left)
    # right-handed: left x posterior = superior in LPS, so front = left x up
    front = np.cross(left, up)
    landmarks = {name: grid.lps_from_index(place) for name, place in pseudo_landmarks(hu, SPACING_MM).items()}
    return Anatomy(left, up, front, grid.lps_from_index(origin), spine["height"] * SPACING_MM, landmarks)


def _outlines(hu: NDArray[np.float32], bone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The surfaces of body and skeleton, of which no large blob, such as a stomach full of contrast medium, has many voxels."""
    body = _largest(hu > BODY_FROM_HU)
    return (body & ~ndimage.binary_erosion(body)) | (bone & ~ndimage.binary_erosion(bone, iterations=2))


def symmetry_plane(mask: NDArray[np.bool_]) -> tuple[float, float, float]:
    """The plane x = a + b z + c y, in voxels `[z,y,x]`, that a mask is most symmetric about; UsageError where none is.

    The plane whose mirror image of the mask meets the mask best is searched from coarse to fine.
    """
    places = np.argwhere(mask)[:, ::-1].astype(float)
    if len(places) < FEWEST_VOXELS:
        raise UsageError("it shows too little of a skeleton")
    places = np.random.default_rng(0).permutation(places)[:SYMMETRY_POINTS]
    blurred = ndimage.gaussian_filter(mask.astype(np.float32), SYMMETRY_BLUR_VOXELS)
    middle = places.mean(axis=0)
    width = 0.15 * mask.shape[2]
    # offset from the middle, slope along z, slope along y
    best, steps = np.zeros(3), np.array([width / 5, GREATEST_TILT / 3, GREATEST_TILT / 3])
    reach = (5, 3, 3)
    for _ in range(SYMMETRY_ROUNDS):
        tried = best + steps * np.stack(
            np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1
        ).reshape(-1, 3)
        tried = tried[np.abs(tried[:, 1:]).max(axis=1) <= GREATEST_TILT]
        scores = [_symmetry(blurred, places, middle, plane) for plane in tried]
        best = tried[int(np.argmax(scores))]
        steps, reach = steps / 2, (2, 2, 2)
    if max(scores) < LEAST_SYMMETRY * _looked_up(blurred, places):
        raise UsageError("its skeleton is not symmetric about any upright plane")
    offset, along_z, along_y = best
    return (
        float(middle[0] + offset - along_z * middle[2] - along_y * middle[1]),
        float(along_z),
        float(along_y),
    )


def _symmetry(
    blurred: NDArray[np.float32], places: FloatArray, middle: FloatArray, plane: FloatArray
) -> float:
    """Mean of a blurred mask `[z,y,x]` at the mirror images of places `(n,3)` (x,y,z)."""
    offset, along_z, along_y = plane
    normal = np.array([1.0, -along_y, -along_z])
    normal /= np.linalg.norm(normal)
    distance = (places - middle - [offset, 0.0, 0.0]) @ normal
    return _looked_up(blurred, places - 2 * distance[:, None] * normal)


def _looked_up(blurred: NDArray[np.float32], places: FloatArray) -> float:
    x, y, z = np.rint(places).astype(int).T
    depth, height, width = blurred.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (z >= 0) & (z < depth)
    return float(blurred[z[inside], y[inside], x[inside]].sum() / len(places))


def _robust_line(rows: FloatArray) -> tuple[float, float]:
    """Intercept and slope of `rows` (place, value, weight), with far ones left out in three rounds."""
    kept = rows
    for _ in range(3):
        slope, intercept = np.polyfit(kept[:, 0], kept[:, 1], 1, w=np.sqrt(kept[:, 2]))
        residual = np.abs(rows[:, 1] - intercept - slope * rows[:, 0])
        near = residual <= max(2.5 * float(np.median(residual)), 1.0)
        kept = rows[near] if near.sum() >= FEWEST_LEVELS else rows
    return float(intercept), float(slope)


def vertebral_column(
    bone: NDArray[np.bool_], offset: float, along_z: float, along_y: float
) -> dict[str, float]:
    """A place (x, y, z) of the column, its slope dy/dz and height, in voxels; UsageError where it is not seen.

    Of the bone about the plane of symmetry only what is nearest to the back counts: spinous processes, canal and the back of
    the vertebral bodies, and not the sternum, nor vessels full of contrast medium.
    """
    z, y, x = np.nonzero(_largest(bone))
    near = np.abs(x - (offset + along_z * z + along_y * y)) <= SPINE_HALF_WIDTH_MM / SPACING_MM
    # np.nonzero goes from slice to slice
    starts = np.searchsorted(z[near], np.arange(1, bone.shape[0]))
    rows = []
    for level, depths in enumerate(np.split(y[near], starts)):
        if len(depths) >= LEAST_BONE_VOXELS:
            back = depths[depths >= np.percentile(depths, 98) - SPINE_DEPTH_MM / SPACING_MM]
            rows.append((level, float(np.median(back)), float(len(back))))
    if len(rows) < FEWEST_LEVELS:
        raise UsageError("it shows too little of a vertebral column")
    intercept, slope = _robust_line(np.array(rows))
    middle = float(np.mean([row[0] for row in rows]))
    depth = intercept + slope * middle
    across = offset + along_z * middle + along_y * depth
    height = rows[-1][0] - rows[0][0]
    return {"x": across, "y": depth, "z": middle, "slope": slope, "height": float(height)}


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part: the skeleton without the rails of the table."""
    labels, count = ndimage.label(mask)
    largest: NDArray[np.bool_] = labels == np.bincount(labels.ravel())[1:].argmax() + 1 if count else mask
    return largest


def _unit(vector: FloatArray) -> FloatArray:
    unit: FloatArray = vector / np.linalg.norm(vector)
    return unit
