"""A small part of the fuzzer's inputs, and that its judges see what is wrong; `make fuzz` reads all of them."""

from __future__ import annotations

import sys
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

# what the child process sees as well
for folder in (str(Path(__file__).parent), str(Path(__file__).parents[1] / "study")):
    if folder not in sys.path:
        sys.path.insert(0, folder)

import fuzz
from fuzzing import child, metaimage
from fuzzing.case import Reading, judge_image

INPUTS = 10
BAD_INPUTS = 60


@pytest.fixture(scope="module")
def reader() -> Iterator[fuzz.Reader]:
    reader = fuzz.Reader()
    yield reader
    reader.close()


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_no_input_is_read_wrongly_or_ends_in_a_traceback(reader, kind):
    outcomes = [reader.outcome(kind, seed) for seed in range(INPUTS)]
    assert [str(outcome) for outcome in outcomes if outcome.verdict not in fuzz.HARMLESS] == []
    assert {"right", "refused"} <= {outcome.verdict for outcome in outcomes}


def test_a_judge_sees_a_shift_a_size_and_a_value_but_no_rounding():
    image = Reading(np.arange(60.0).reshape(3, 4, 5), np.eye(4))
    moved = np.eye(4)
    moved[0, 3] = 0.2
    assert "0.20 mm" in replace(image, ijk_to_lps=moved).difference(image)
    assert "size" in replace(image, array=image.array[1:]).difference(image)
    assert "1 values" in replace(image, array=image.array + (image.array == 7)).difference(image)
    assert replace(image, array=image.array + 1e-4).difference(image) == ""


def test_what_other_programs_refuse_may_only_be_read_as_it_was_or_with_a_doubt():
    def refused() -> Reading:
        raise ValueError("damaged")

    image = Reading(np.zeros((3, 4, 5)), np.eye(4))
    other = replace(image, array=image.array + 1)
    judge = judge_image(refused, image)
    assert judge(image) == ""
    assert "60 values" in judge(other)
    assert judge(replace(other, doubted=True)) == ""


def test_a_reader_that_crashes_is_told_and_started_anew(reader):
    reader.outcome("landmarks", 1)
    reader._process.kill()
    assert reader.outcome("landmarks", 1).verdict == "crash"
    assert reader.outcome("landmarks", 1).verdict in fuzz.HARMLESS


# ---- readers that are known to be bad are found out


def _fields_and_voxels(folder: Path) -> tuple[dict[str, str], bytes]:
    """The fields and the unpacked voxels of a MetaImage, however many of these there are."""
    head, _end, voxels = (folder / "scan.mha").read_bytes().partition(b"ElementDataFile = LOCAL\n")
    fields = dict(line.split(" = ", 1) for line in head.decode("latin-1").splitlines() if " = " in line)
    if fields.get("CompressedData") == "True":
        voxels = zlib.decompressobj().decompress(voxels)
    return fields, voxels


def _plain(folder: Path, turned: bool = True) -> Reading:
    """A reader that believes whatever stands in a header, and fills up what is missing."""
    fields, voxels = _fields_and_voxels(folder)
    size = [int(part) for part in fields["DimSize"].split()][::-1]
    kind = np.dtype(metaimage.TYPES[fields["ElementType"].removeprefix("MET_")])
    needed = int(np.prod(size)) * kind.itemsize
    array = np.frombuffer(voxels[:needed].ljust(needed, b"\0"), kind).reshape(size)
    numbers = {name: np.array(value.split(), float) for name, value in fields.items() if name in _NUMBERS}
    ijk_to_lps = np.eye(4)
    direction = numbers["TransformMatrix"].reshape(3, 3).T if turned else np.eye(3)
    ijk_to_lps[:3, :3] = direction * numbers["ElementSpacing"]
    ijk_to_lps[:3, 3] = numbers["Offset"]
    return Reading(array, ijk_to_lps)


_NUMBERS = ("TransformMatrix", "ElementSpacing", "Offset")


def _with_axes_swapped(folder: Path) -> Reading:
    reading = _plain(folder)
    return replace(reading, array=reading.array.swapaxes(1, 2))


def _in_ras(folder: Path) -> Reading:
    reading = _plain(folder)
    return replace(reading, ijk_to_lps=np.diag([-1.0, -1.0, 1.0, 1.0]) @ reading.ijk_to_lps)


def _with_a_file_left(folder: Path) -> Reading:
    (Path(tempfile.gettempdir()) / "unpacked.raw").write_bytes(b"voxels")
    return _plain(folder)


BAD_READERS = {
    "swaps two axes": (_with_axes_swapped, "wrong"),
    "takes LPS for RAS": (_in_ras, "wrong"),
    "reads no directions": (partial(_plain, turned=False), "wrong"),
    "fills up a short file": (_plain, "wrong"),
    "ends in a traceback": (_plain, "traceback"),
    "leaves a file behind": (_with_a_file_left, "left behind"),
}


@pytest.mark.parametrize("name", BAD_READERS)
def test_a_bad_reader_is_found_out(name):
    read, verdict = BAD_READERS[name]
    found = [child.outcome("metaimage", seed, read) for seed in range(BAD_INPUTS)]
    assert verdict in {outcome["verdict"] for outcome in found}
    if name == "fills up a short file":
        # what it reads of whole files is right, so that what is found is the short ones
        assert {outcome["verdict"] for outcome in found if outcome["what"] == "valid"} == {"right"}


def test_nothing_stays_of_a_reader_that_was_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    reader = fuzz.Reader()
    reader.outcome("metaimage", 1)
    assert list(tmp_path.iterdir())
    reader.close()
    assert list(tmp_path.iterdir()) == []
