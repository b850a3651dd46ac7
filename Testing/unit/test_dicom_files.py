"""Series of DICOM whose files are named one by one, in folders that hold more."""

from __future__ import annotations

import numpy as np
import pytest
from toy_series import HU, Series, Writer

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.utils.errors import VolumeError


def test_one_of_two_series_is_read_from_its_files_in_any_order(write_series: Writer) -> None:
    series = Series(step=(0, 0, 2.0), origin=(1, 2, 3))
    write_series(Series(number=2, description="Lung 1.0"), kept=range(5), name="lung{}")
    folder = write_series(series)
    files = [f"IM{k:03d}.dcm" for k in np.random.default_rng(1).permutation(len(HU))]
    volume = Volume.read_series(folder, files)
    assert np.array_equal(volume.array, HU)
    assert volume.ijk_to_lps == pytest.approx(series.ijk_to_lps(), abs=1e-5)
    assert (volume.name, volume.source) == ("study", folder)


def test_files_of_one_series_may_lie_in_several_folders(write_series: Writer) -> None:
    folder = write_series()
    (folder / "disk 2").mkdir()
    (folder / "IM003.dcm").rename(folder / "disk 2" / "IM003.dcm")
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*.dcm")]
    assert np.array_equal(Volume.read_series(folder, files).array, HU)


def test_named_files_are_checked_like_a_folder(write_series: Writer) -> None:
    folder = write_series()
    write_series(Series(number=2, description="Lung 1.0"), kept=range(2), name="lung{}")
    files = [f"IM{k:03d}.dcm" for k in range(len(HU))]
    (folder / "IM001.dcm").write_bytes((folder / "IM001.dcm").read_bytes()[:-100])
    (folder / "notes.txt").write_text("no image")

    def refusal_of(*names: str) -> str:
        with pytest.raises(VolumeError) as caught:
            Volume.read_series(folder, names)
        assert str(folder) in str(caught.value)
        return str(caught.value)

    assert "IM001.dcm can't be read as DICOM" in refusal_of(*files)
    assert "5.00 mm from -292.50 to -287.50" in refusal_of(*files[2:4], *files[5:])
    assert "of 2 DICOM series: series 1 (Thorax 2.5, CT, 10 slices); series 2" in refusal_of(
        *files[2:], "lung1"
    )
    assert "notes.txt can't be read as DICOM" in refusal_of(*files[2:], "notes.txt")
    assert "gone.dcm do not exist any more" in refusal_of(*files[2:], "gone.dcm")
    assert "no files of a DICOM series are named" in refusal_of()
