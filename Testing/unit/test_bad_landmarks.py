"""Bad landmark files are refused, with the path, the line or point, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.io.landmark_files import write_markups
from SAMLandmarkLib.utils.errors import LandmarkError, UsageError

PointListWriter = Callable[..., Path]


def write_text(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def refusal(path: Path, **settings: str) -> str:
    """The message with which reading `path` is refused; it must name the path."""
    with pytest.raises(LandmarkError) as caught:
        LandmarkSet.read(path, **settings)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".mrk.json", ".fcsv", ".csv"])
def test_files_that_are_absent_or_empty_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"points{suffix}"
    assert "No such file" in refusal(path, csv_frame="LPS")
    path.write_text("\n")
    assert "is empty; place at least one point" in refusal(path, csv_frame="LPS")


def test_other_extensions_are_refused(tmp_path: Path) -> None:
    assert ".mrk.json or .fcsv, or a .csv" in refusal(write_text(tmp_path / "points.xlsx", "label,x,y,z"))


@pytest.mark.parametrize("suffix", [".mrk.json", ".fcsv", ".csv"])
def test_other_encodings_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"points{suffix}"
    path.write_bytes("label,x,y,z\nKüste,1,2,3".encode("latin-1"))
    assert "not UTF-8" in refusal(path, csv_frame="LPS")


def test_json_that_is_cut_short_is_refused_with_its_place(write_point_lists: PointListWriter) -> None:
    path = write_point_lists({})
    path.write_text(path.read_text()[:-20])
    assert "not valid JSON (line 1, column " in refusal(path)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"markups": 3}', '{"markups": [{"controlPoints": []}]}', '"points"']
)
def test_json_that_is_no_markups_file_is_refused(tmp_path: Path, content: str) -> None:
    assert "not a markups file of 3D Slicer" in refusal(write_text(tmp_path / "a.json", content))


def test_another_major_version_of_the_schema_is_refused(write_point_lists: PointListWriter) -> None:
    path = write_point_lists({}, schema="https://somewhere/markups-schema-v2.0.0.json#")
    assert "v2.0.0" in refusal(path)


def test_markups_without_a_point_list_are_refused_with_what_they_are(
    write_point_lists: PointListWriter,
) -> None:
    path = write_point_lists({"type": "Line"}, {"type": "ROI"})
    assert "holds no point list, but Line, ROI" in refusal(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coordinateSystem": "IJK"}, "coordinate system is 'IJK'"),
        ({"coordinateUnits": "cm"}, "unit is 'cm'; save the points in mm"),
        ({"coordinateUnits": ["um", "UCUM", "micrometer"]}, "unit is 'um'"),
        ({"controlPoints": []}, "no landmarks in it; place at least one point"),
    ],
)
def test_unusable_point_lists_are_refused(
    write_point_lists: PointListWriter, change: dict, words: str
) -> None:
    assert words in refusal(write_point_lists(change))


@pytest.mark.parametrize("position", [[1, 2], [1, 2, "3"], [1, 2, np.nan], [1, np.inf, 3], "1,2,3"])
def test_garbled_positions_in_json_are_refused_by_label(
    write_point_lists: PointListWriter, position: object
) -> None:
    points = [{"label": "first", "position": [1, 2, 3]}, {"label": "carina", "position": position}]
    message = refusal(write_point_lists({"controlPoints": points}))
    assert "point 2 ('carina')" in message
    assert "not three finite numbers" in message


@pytest.mark.parametrize(
    "row", ["carina,1,2", "carina,1,2,", "carina,1,2,x", "carina,1,2,nan", "carina,1,2,inf"]
)
def test_garbled_numbers_in_csv_are_refused_by_line(tmp_path: Path, row: str) -> None:
    path = write_text(tmp_path / "a.csv", "label,x,y,z", "first,1,2,3", "", row)
    assert f"{path}, line 4: x,y,z are 1,2," in refusal(path, csv_frame="LPS")


def test_decimal_commas_are_refused_by_line(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", "label,x,y,z", "carina,1,5,2,5,3,5")
    assert "line 2: 7 fields, but 4 columns; write numbers with a decimal point" in refusal(
        path, csv_frame="LPS"
    )


@pytest.mark.parametrize("header", ["label,x,y", "name,l,p,s", "label x y z", "carina,1,2,3"])
def test_csv_columns_that_are_not_there_are_named(tmp_path: Path, header: str) -> None:
    message = refusal(write_text(tmp_path / "a.csv", header, "carina,1,2,3"), csv_frame="LPS")
    assert f"but {header}; name the columns label,x,y,z" in message


def test_csv_without_a_frame_says_how_to_give_it(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", "label,x,y,z", "carina,1,2,3")
    with pytest.raises(UsageError, match="give --csv-frame LPS or --csv-frame RAS"):
        LandmarkSet.read(path)
    with pytest.raises(UsageError, match="LPS or RAS, not 'IJK'"):
        LandmarkSet.read(path, csv_frame="IJK")


def test_fcsv_without_a_frame_says_how_to_add_it(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.fcsv", "# columns = label,x,y,z,sel,vis", "carina,1,2,3,1,1")
    assert "add the line '# CoordinateSystem = LPS'" in refusal(path)
    write_text(path, "# CoordinateSystem = 2", "1,1,2,3,0,0,0,1,1,1,0,carina,,")
    assert "coordinate system is '2'" in refusal(path)


@pytest.mark.parametrize("suffix", [".mrk.json", ".fcsv", ".csv"])
def test_labels_that_occur_twice_are_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"points{suffix}"
    labels = ("carina", "nodule", "carina", "hilum", "hilum")
    if suffix == ".mrk.json":
        write_markups(path, labels, np.zeros((5, 3)))
    elif suffix == ".fcsv":
        write_text(
            path, "# CoordinateSystem = LPS", *(f"1,1,2,3,0,0,0,1,1,1,0,{label},," for label in labels)
        )
    else:
        write_text(path, "label,x,y,z", *(f"{label},1,2,3" for label in labels))
    message = refusal(path, csv_frame="LPS")
    assert "more than one landmark is called 'carina', 'hilum'" in message


def test_blank_labels_are_refused_by_number(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", "label,x,y,z", "carina,1,2,3", " ,4,5,6")
    assert "landmark number 2 has no label" in refusal(path, csv_frame="LPS")
