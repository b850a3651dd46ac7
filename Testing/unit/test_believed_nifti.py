"""Headers of NIfTI that must not be believed, in files whose fields were set byte by byte."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from refused import doubts, refusal

HU = np.random.default_rng(7).integers(-1000, 1500, (12, 14, 16)).astype(np.int16)


def nifti_file(path: Path, **fields: object) -> Path:
    """A NIfTI file of nibabel in which fields of the header have been set to anything."""
    image = nibabel.Nifti1Image(HU.transpose(2, 1, 0), np.diag([-1.5, -1.5, 2.5, 1.0]))
    nibabel.save(image, path)
    with open(path, "rb") as file:
        header = nibabel.Nifti1Header.from_fileobj(file)
    for name, value in fields.items():
        header[name] = value
    content = path.read_bytes()
    path.write_bytes(header.binaryblock + content[348:])
    return path


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"vox_offset": 0}, "its voxels start at byte 0"),
        ({"vox_offset": 351}, "its voxels start at byte 351"),
        ({"vox_offset": 352.5}, "its voxels start at byte 352.5"),
        ({"vox_offset": 368}, "cut short: 16 of"),
        ({"bitpix": 8}, "8 bits a voxel"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 2.0}, "is no rotation"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": np.nan}, "is no rotation"),
        ({"srow_z": (0, 0, np.inf, 0)}, "finite 4x4 affine"),
        ({"xyzt_units": 1}, "no scan of a patient"),
        ({"dim": (-1, 16, 14, 12, 1, 1, 1, 1)}, "-1 dimensions"),
    ],
)
def test_nifti_fields_that_cannot_be_are_refused(tmp_path: Path, fields: dict, words: str) -> None:
    assert words in refusal(nifti_file(tmp_path / "a.nii", **fields))


@pytest.mark.parametrize("codes", [(1, 1), (1, 2), (2, 1), (1, 4)])
def test_two_forms_that_disagree_are_doubted_in_either_order(tmp_path: Path, codes: tuple[int, int]) -> None:
    qform, sform = codes
    path = nifti_file(tmp_path / "a.nii", qform_code=qform, sform_code=sform, qoffset_x=50.0)
    assert "describes two geometries that are up to 50" in doubts(path)
