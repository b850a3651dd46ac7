"""Landmark tables from other hands: spreadsheets, 3D Slicer's own export, and what no reader can be sure of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.utils.errors import LandmarkError

POINT = [-21.5, 65.25, -315.5]
FCSV = (
    "# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n"
    "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
)


def read(folder: Path, name: str, text: str, frame: str | None = None) -> LandmarkSet:
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return LandmarkSet.read(path, csv_frame=frame)


def refusal(folder: Path, name: str, text: str, frame: str | None = None) -> str:
    with pytest.raises(LandmarkError) as caught:
        read(folder, name, text, frame)
    assert str(folder / name) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "label;x;y;z\na;-21.5;65.25;-315.5\n",
        "label;x;y;z\r\na;-21,5;65,25;-315,5\r\n",
        "label\tx\ty\tz\na\t-21.5\t65.25\t-315.5\n",
        "sep=,\nlabel,x,y,z\na,-21.5,65.25,-315.5\n",
        '"sep=;"\n\nlabel;x;y;z\na;-21,5;65,25;-315,5\n',
        "label,x,y,z,,\na,-21.5,65.25,-315.5,,\n,,,,,\n",
        "label,x,y,z\na,-21.5,65.25,-315.5,,,,\n",
        "Label, X ,Y,Z\na, -21.5 ,65.25,-3.155e2\n",
    ],
)
def test_tables_of_spreadsheets_are_read(tmp_path: Path, text: str) -> None:
    if text.startswith('"sep=;"'):
        text = text.replace("\n\n", "\n")
    landmarks = read(tmp_path, "a.csv", text, "LPS")
    assert landmarks.labels == ("a",)
    assert landmarks[0].position_lps.tolist() == POINT


@pytest.mark.parametrize("said", ["0", "False", "no"])
def test_a_point_that_is_said_to_be_undefined_has_no_place(tmp_path: Path, said: str) -> None:
    text = f"label,x,y,z,defined,unit,frame\na,1,2,3,{said},mm,lps\nb,1,2,3,,,\n"
    landmarks = read(tmp_path, "a.csv", text, "LPS")
    assert landmarks[0].position_lps is None
    assert landmarks[1].position_lps.tolist() == [1, 2, 3]


@pytest.mark.parametrize(("axes", "signs"), [("r,a,s", (-1, -1, 1)), ("l,p,s", (1, 1, 1))])
def test_slicers_table_export_says_its_frame(tmp_path: Path, axes: str, signs: tuple[int, ...]) -> None:
    text = (
        f"label,{axes},defined,selected,visible,locked,description\na,1,2,3,1,1,1,0,note\nb,0,0,0,0,1,1,0,\n"
    )
    landmarks = read(tmp_path, "a.csv", text)
    assert landmarks[0].position_lps.tolist() == (np.array([1, 2, 3]) * signs).tolist()
    assert landmarks[0].description == "note"
    assert landmarks[1].position_lps is None
    other = "LPS" if axes == "r,a,s" else "RAS"
    assert "say that it counts in" in refusal(tmp_path, "a.csv", text, other)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("label,x,y,z,x,y,z\na,1,2,3,4,5,6\n", "more than one column is called x, y, z"),
        ("label,label,x,y,z\na,b,1,2,3\n", "more than one column is called label"),
        ("label,x,y,z,r,a,s\na,1,2,3,4,5,6\n", "has the columns x,y,z and r,a,s"),
        ('label,x,y,z\n"a,1,2,3\nb,4,5,6\n', "line 3: unexpected end of data; a quote may not be closed"),
        ("label,x,y,z\na,1_0,2,3\n", "line 2: x,y,z are 1_0,2,3"),
        ("label,x,y,z\na,1e400,2,3\n", "where no patient lies"),
        ("label,x,y,z\na,100000,2,3\n", "where no patient lies"),
        ("label;x;y;z\na;1.234,5;2;3\n", "line 2: x,y,z are 1.234,5,2,3"),
        ("label,x,y,z\na,1,2,3\nb\n", "line 3: x,y,z are ,,"),
        ("label,x,y,z\na\0b,1,2,3\n", "can't be shown"),
        ("label,x,y,z\na\u202eb,1,2,3\n", "can't be shown"),
        ("label,x,y,z,frame\na,1,2,3,RAS\n", "line 2: its frame is 'RAS', but LPS is read"),
        ("label,x,y,z,Unit\na,1,2,3,mm\nb,1,2,3,cm\n", "line 3: its unit is 'cm', but mm is read"),
        ("label,x,y,z,defined\na,1,2,3,perhaps\n", "line 2: its column defined says 'perhaps'"),
        ('label,x,y,z\n"a\nb",1,2,3\n', "can't be shown"),
        ("label,x,y,z\n" + "a" * 200_000 + ",1,2,3\n", "field larger than field limit"),
    ],
)
def test_tables_that_could_be_read_in_two_ways_are_refused(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, "a.csv", text, "LPS")


@pytest.mark.parametrize(
    "row",
    ["1,-21.5,65.25,-315.5,0,0,0,1,1,1,0,a,,,,\n", "1, -21.5, 65.25, -315.5, 0,0,0,1,1,1,0, a ,, , 2, 0\n"],
)
def test_padded_rows_of_an_fcsv_keep_their_point(tmp_path: Path, row: str) -> None:
    landmarks = read(tmp_path, "a.fcsv", FCSV + row)
    assert landmarks.labels == ("a",)
    assert landmarks[0].position_lps.tolist() == POINT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FCSV + "1,1,2,3,0,0,0,1,1,1,0,a, upper,desc,\n", "line 4: its fields are shifted"),
        (FCSV + "1,1,2,3,0,0,0,1,1,1,0,a,,,two,0\n", "line 4: its fields are shifted"),
        (FCSV + "1,,,,0,0,0,1,1,1,0,a,,,2,0\n", "line 4: it has no x,y,z"),
        (FCSV + "1,1,2,x,0,0,0,1,1,1,0,a,,,0,0\n", "line 4: x,y,z are 1,2,x"),
        (FCSV.replace("LPS", "LPS,,,,"), "a spreadsheet program has saved it"),
        (FCSV.replace(",", ";"), "a spreadsheet program has saved it"),
        (FCSV + "# CoordinateSystem = RAS\n", "says CoordinateSystem twice"),
    ],
)
def test_rows_of_an_fcsv_that_are_shifted_are_refused(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, "a.fcsv", text)


def markups(**point: object) -> str:
    whole = {"label": "a", "position": [1, 2, 3]} | point
    return json.dumps({"markups": [{"type": "Fiducial", "controlPoints": [whole]}]})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "JSON that no program writes"),
        ('{"markups": ' + "9" * 5000 + "}", "JSON that no program writes"),
        (markups(position=[10**400, 2, 3]), "not three finite numbers"),
        (markups(position=[True, 2, 3]), "not three finite numbers"),
        (markups(position=[1e6, 2, 3]), "where no patient lies"),
        (markups(label=["a"]), "the label of point 1 is ['a'], not a text"),
        (markups(label="a\ud800"), "can't be shown"),
        (markups(label="a\0"), "can't be shown"),
        (markups().replace('"label"', '"position": [4, 5, 6], "label"'), "says 'position' twice"),
    ],
)
def test_markups_that_no_program_writes_are_refused(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, "a.mrk.json", text)


def test_a_number_is_a_label(tmp_path: Path) -> None:
    assert read(tmp_path, "a.mrk.json", markups(label=0)).labels == ("0",)
    assert read(tmp_path, "a.csv", "label,x,y,z\n7,1,2,3\n", "LPS").labels == ("7",)


def test_control_signs_of_a_description_become_blanks(tmp_path: Path) -> None:
    assert read(tmp_path, "a.mrk.json", markups(description="one\0two\ud800"))[0].description == "one two "


@pytest.mark.parametrize("suffix", [".csv", ".fcsv", ".mrk.json"])
def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path: Path, suffix: str) -> None:
    import os

    os.mkfifo(tmp_path / f"a{suffix}")
    with pytest.raises(LandmarkError, match="no ordinary file"):
        LandmarkSet.read(tmp_path / f"a{suffix}", csv_frame="LPS")
