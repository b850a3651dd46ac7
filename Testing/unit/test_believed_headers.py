"""Headers and streams that must not be believed, in files written byte by byte and judged against what was written."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import nrrd
import numpy as np
import pytest
from refused import doubts, refusal

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.utils.errors import VolumeError

HU = np.random.default_rng(7).integers(-1000, 1500, (12, 14, 16)).astype(np.int16)
NRRD = (
    "NRRD0005\ntype: int16\ndimension: 3\nspace: left-posterior-superior\nsizes: 16 14 12\nendian: little\n"
    "space directions: (1.5,0,0) (0,1.5,0) (0,0,2.5)\nspace origin: (1,2,3)\nencoding: {encoding}\n"
)
META = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = {compressed}\n"
    "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 1 2 3\nElementSpacing = 1.5 1.5 2.5\nDimSize = 16 14 12\n"
    "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
)


def nrrd_file(path: Path, change: Callable[[str], str] = str, encoding: str = "gzip") -> Path:
    data = gzip.compress(HU.tobytes()) if encoding == "gzip" else HU.tobytes()
    path.write_bytes(change(NRRD.format(encoding=encoding)).encode() + b"\n" + data)
    return path


def meta_file(path: Path, change: Callable[[str], str] = str, compressed: str = "True") -> Path:
    data = zlib.compress(HU.tobytes()) if compressed[0] in "Tt1" else HU.tobytes()
    path.write_bytes(change(META.format(compressed=compressed)).encode() + data)
    return path


def replaced(old: str, new: str) -> Callable[[str], str]:
    """A change of a header, which must hold the text to be replaced."""

    def change(header: str) -> str:
        assert old in header
        return header.replace(old, new)

    return change


# ---- Streams


@pytest.mark.parametrize("write", [nrrd_file, meta_file])
def test_every_damaged_byte_of_a_compressed_stream_is_noticed_or_harmless(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    suffix = ".nrrd" if write is nrrd_file else ".mha"
    path = write(tmp_path / f"a{suffix}")
    content = path.read_bytes()
    start = content.index(b"LOCAL\n") + 6 if suffix == ".mha" else content.index(b"\n\n") + 2
    random = np.random.default_rng(0)
    for place in random.integers(start, len(content), 200):
        damaged = bytearray(content)
        damaged[place] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        try:
            voxels = Volume.read(path).array
        except VolumeError:
            continue
        # Gzip's own header has a time and a system, which say nothing about the voxels.
        assert np.array_equal(voxels, HU)


@pytest.mark.parametrize("size", [None, 1, 100, 10**9, -5, "abc"])
@pytest.mark.parametrize("compressed", ["True", "T", "1", "true"])
def test_the_size_that_a_metaimage_says_of_its_stream_does_not_count(
    tmp_path: Path, size: object, compressed: str
) -> None:
    line = "" if size is None else f"CompressedDataSize = {size}\n"
    path = meta_file(tmp_path / "a.mha", replaced("TransformMatrix", f"{line}TransformMatrix"), compressed)
    assert np.array_equal(Volume.read(path).array, HU)


@pytest.mark.parametrize("encoding", ["gzip", "raw"])
def test_a_stream_of_another_length_than_announced_is_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.nrrd"
    nrrd_file(path, replaced("16 14 12", "16 14 13"), encoding)
    assert "cut short: 448 of 5824 bytes of voxels are missing" in refusal(path)
    nrrd_file(path, replaced("16 14 12", "16 14 11"), encoding)
    assert "holds more than the 4928 bytes" in refusal(path)


def test_a_stream_in_several_parts_is_one(tmp_path: Path) -> None:
    content = HU.tobytes()
    parts = b"".join(gzip.compress(content[start : start + 1000]) for start in range(0, len(content), 1000))
    (tmp_path / "a.nrrd").write_bytes(NRRD.format(encoding="gzip").encode() + b"\n" + parts)
    assert np.array_equal(Volume.read(tmp_path / "a.nrrd").array, HU)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_bomb_takes_neither_memory_nor_time(tmp_path: Path, suffix: str) -> None:
    bomb = zlib.compressobj(9)
    zeros = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(300)) + bomb.flush()
    path = tmp_path / f"a{suffix}"
    header = META.format(compressed="True") if suffix == ".mha" else NRRD.format(encoding="gzip") + "\n"
    path.write_bytes(header.encode() + zeros)
    assert "holds more than" in refusal(path)


def test_empty_parts_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nrrd"
    path.write_bytes(NRRD.format(encoding="gzip").encode() + b"\n" + gzip.compress(b"") * 5000)
    assert "cut into far too many pieces" in refusal(path)


def test_sizes_beyond_all_memory_are_refused(tmp_path: Path) -> None:
    for sizes in ("999999 999999 999999", "100000 100000 100"):
        assert "cut short" in refusal(nrrd_file(tmp_path / "a.nrrd", replaced("16 14 12", sizes))) or (
            "more than any scan has" in refusal(tmp_path / "a.nrrd")
        )


# ---- Fields of NRRD


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("encoding: gzip", "encoding: bzip2", "encoded as bzip2"),
        ("encoding: gzip", "encoding: hex", "encoded as hex"),
        ("encoding: gzip", "encoding: gzip\nbyte skip: -1", "byte skip -1"),
        ("encoding: gzip", "encoding: gzip\ndata file: LIST", "its voxels lie in several files"),
        ("encoding: gzip", "encoding: gzip\ndata file: a%03d.raw 1 12 1", "its voxels lie in several files"),
        ("encoding: gzip", "encoding: gzip\ndata file: ../../absent", "must lie beside it"),
        ("sizes: 16 14 12", "sizes: 16 14", "dimension '3', but sizes '16 14'"),
        ("sizes: 16 14 12", "sizes: -16 14 12", "-16x14x12"),
        ("sizes: 16 14 12", f"sizes: {'9' * 5000} 14 12", "not whole numbers"),
        ("dimension: 3", "dimension: -3", "dimension '-3'"),
        ("dimension: 3", "dimension: 3\ndimension: 3", "'dimension' twice"),
        ("type: int16", "type: block", "'block'"),
        ("endian: little\n", "", "'endian'"),
        ("space origin", "space orjgin", "holds the line"),
        ("(0,0,2.5)", "(0,0,nan)", "voxel spacing is 1.5 x 1.5 x nan"),
        ("(0,0,2.5)", "(0,0,0)", "voxel spacing is 1.5 x 1.5 x 0"),
        ("(0,0,2.5)", "(0,0,2500)", "no scan of a patient"),
        ("(0,0,2.5)", "(0,2.5,0)", "in one plane"),
        ("(0,0,2.5)", "none", "numbers each"),
        ("(1,2,3)", "(1,2,1e9)", "where no patient lies"),
        ("(1,2,3)", "(1,2,nan)", "finite 4x4 affine"),
    ],
)
def test_nrrd_fields_that_cannot_be_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert words in refusal(nrrd_file(tmp_path / "a.nrrd", replaced(old, new)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (replaced("space: left-posterior-superior", "space dimension: 3"), "in which frame"),
        (replaced("space: left-posterior-superior", "space: scanner-xyz"), "in which frame"),
        (replaced("space origin: (1,2,3)\n", ""), "where the patient lies"),
        (lambda text: re.sub(r"space.*\n", "", text), "how large its voxels are"),
        (lambda text: re.sub(r"space.*\n", "", text) + "spacings: 1.5 1.5 2.5\n", "in which directions"),
        (replaced("encoding", 'space units: "cm" "cm" "cm"\nencoding'), "it counts in cm"),
    ],
)
def test_what_an_nrrd_leaves_open_is_doubted(
    tmp_path: Path, change: Callable[[str], str], words: str
) -> None:
    if "it counts" in words:
        words = "its header counts in cm, which is turned into mm here"
    assert words in doubts(nrrd_file(tmp_path / "a.nrrd", change))


def test_centimetres_become_millimetres(tmp_path: Path) -> None:
    path = nrrd_file(tmp_path / "a.nrrd", replaced("encoding", 'space units: "cm" "cm" "cm"\nencoding'))
    with pytest.warns(UserWarning, match="counts in cm"):
        assert Volume.read(path).spacing_mm.tolist() == [15.0, 15.0, 25.0]
    meta_file(tmp_path / "a.mha", replaced("NDims", "DistanceUnits = um\nNDims"))
    assert "only 0.024 x 0.021 x 0.03 mm large" in refusal(tmp_path / "a.mha")


@pytest.mark.parametrize(
    ("space", "signs"),
    [("right-anterior-superior", (-1, -1, 1)), ("LAS", (1, -1, 1)), ("LPS", (1, 1, 1))],
)
@pytest.mark.parametrize("encoding", ["raw", "gzip", "ascii"])
def test_nrrd_is_read_as_pynrrd_reads_it(
    tmp_path: Path, space: str, signs: tuple[int, ...], encoding: str
) -> None:
    header = {
        "space": space,
        "space directions": np.diag([1.5, 1.25, 2.5]),
        "space origin": [1.0, 2.0, 3.0],
        "encoding": encoding,
    }
    nrrd.write(str(tmp_path / "a.nrrd"), HU.transpose(2, 1, 0), header)
    data, said = nrrd.read(str(tmp_path / "a.nrrd"))
    volume = Volume.read(tmp_path / "a.nrrd")
    assert np.array_equal(volume.array, data.transpose(2, 1, 0))
    expected = np.diag(signs) @ np.column_stack([said["space directions"].T, said["space origin"]])
    assert np.array_equal(volume.ijk_to_lps[:3], expected)


# ---- Fields of MetaImage


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("NDims = 3", "NDims = -3", "NDims '-3'"),
        ("NDims = 3", "NDims = 99999999", "NDims '99999999'"),
        ("DimSize = 16 14 12", "DimSize = 16 14 -12", "16x14x-12"),
        ("DimSize = 16 14 12", "DimSize = 16 14", "NDims '3', but DimSize '16 14'"),
        ("ElementDataFile = LOCAL", "ElementDataFile = LIST", "its voxels lie in several files"),
        ("ElementDataFile = LOCAL", "ElementDataFile = a%03d.raw 1 12 1", "its voxels lie in several files"),
        ("CompressedData = True", "CompressedData = maybe", "not True or False"),
        ("CompressedData = True", "HeaderSize = 7\nCompressedData = True", "HeaderSize = 7"),
        ("ElementSpacing = 1.5 1.5 2.5", "ElementSpacing = 1.5 1.5 0", "voxel spacing is 1.5 x 1.5 x 0"),
        (
            "ElementSpacing = 1.5 1.5 2.5",
            "ElementSpacing = 1.5 1.5",
            "ElementSpacing '1.5 1.5', not 3 numbers",
        ),
        ("1 0 0 0 1 0 0 0 1", "2 0 0 0 1 0 0 0 1", "the lengths 2, 1, 1, not 1"),
        ("1 0 0 0 1 0 0 0 1", "nan 0 0 0 1 0 0 0 1", "not 1, so the size"),
        ("ElementType = MET_SHORT", "ElementType = MET_STRING", "'MET_STRING'"),
        ("Offset = 1 2 3", "Offset = 1 2 3\nPosition = 4 5 6", "both Offset and Position"),
        ("Offset = 1 2 3", "Offset = 1 2 3\nOffset = 4 5 6", "says Offset twice"),
        ("ElementType", "ElementNumberOfChannels = 3\nElementType", "one number in each voxel"),
    ],
)
def test_metaimage_fields_that_cannot_be_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert words in refusal(meta_file(tmp_path / "a.mha", replaced(old, new)))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ElementToIntensityFunctionSlope = 10", "times 10 plus 0"),
        ("ElementToIntensityFunctionOffset = -1024", "times 1 plus -1024"),
        ("Modality = MET_MOD_PET", "MET_MOD_PET, not CT"),
    ],
)
def test_what_a_metaimage_says_of_its_values_is_doubted(tmp_path: Path, line: str, words: str) -> None:
    path = meta_file(tmp_path / "a.mha", replaced("TransformMatrix", f"{line}\nTransformMatrix"))
    assert words in doubts(path)


@pytest.mark.parametrize(
    ("directions", "words"),
    [
        ("(1.5,0,0) (0,1.5,0) (0,0,25)", "one of its spacings may be wrong"),
        ("(18,0,0) (0,18,0) (0,0,2)", "one of its spacings may be wrong"),
        ("(1.5,0,0) (0,1.5,0) (0,0,0.02)", "one of its spacings may be wrong"),
        ("(1.5,0,0) (1.5,1.5,0) (0,0,2.5)", "stand at 45 degrees to each other"),
    ],
)
def test_voxels_that_no_scanner_makes_are_doubted(tmp_path: Path, directions: str, words: str) -> None:
    change = replaced("(1.5,0,0) (0,1.5,0) (0,0,2.5)", directions)
    assert words in doubts(nrrd_file(tmp_path / "a.nrrd", change))


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("TransformMatrix", "in which directions"),
        ("Offset", "where the patient lies"),
        ("ElementSpacing", "how large its voxels are"),
    ],
)
def test_what_a_metaimage_leaves_open_is_doubted(tmp_path: Path, field: str, words: str) -> None:
    path = meta_file(tmp_path / "a.mha", lambda text: re.sub(rf"{field}.*\n", "", text))
    assert words in doubts(path)
