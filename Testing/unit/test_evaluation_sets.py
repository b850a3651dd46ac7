"""Which landmarks the test sets on disk hold, and what is said of folders that aren't test sets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from SAMLandmarkLib.evaluation.sets import (
    find_evaluation_sets,
    read_evaluation_set,
    volume_files,
    volume_name,
)
from SAMLandmarkLib.utils.bundled import bundled_folder
from SAMLandmarkLib.utils.errors import LandmarkError, UsageError

SHARED_SETS = Path(__file__).parents[2].parent / "shared" / "data" / "eval"


def write_set(folder: Path, **tables: str) -> Path:
    """A set whose volumes are never read here, so that their files may be empty."""
    folder.mkdir()
    for name, rows in tables.items():
        (folder / f"{name}.nii.gz").touch()
        (folder / f"{name}.csv").write_text(f"label,x,y,z,quality\n{rows}")
    return folder


@pytest.fixture
def three_patients(tmp_path):
    return write_set(
        tmp_path / "three",
        a="p,1,2,3,1\nq,4,5,6,2\nr,7,8,9,1\n",
        b="q,1,1,1,3\np,2,2,2,1\n",
        c="r,3,3,3,2\ns,0,0,0,1\n",
    )


def described(evaluation_set):
    return {(pair.template.name, pair.target.name): pair.labels for pair in evaluation_set.pairs}


def test_all_ordered_pairs_over_common_labels(three_patients):
    assert described(read_evaluation_set(three_patients)) == {
        ("a", "b"): ["p", "q"],
        ("b", "a"): ["q", "p"],
        ("a", "c"): ["r"],
        ("c", "a"): ["r"],
    }


def test_the_worse_quality_of_both_sides_counts(three_patients):
    a_to_b = read_evaluation_set(three_patients).pairs[0]
    assert [a_to_b.quality(label) for label in ("p", "q")] == [1, 3]


def test_template_and_followup_are_one_pair():
    (sample,) = find_evaluation_sets(bundled_folder("SampleData").parent, ["SampleData"])
    assert list(described(sample)) == [("template", "followup")]
    pair = sample.pairs[0]
    assert len(pair.labels) == 20
    np.testing.assert_array_equal(pair.target.position_of["left_kidney_upper_pole"], (45.5, 52.1, -363.8))


def test_quality_is_one_where_the_file_has_no_such_column(tmp_path):
    folder = write_set(tmp_path / "plain", a="", b="")
    for name in "ab":
        (folder / f"{name}.csv").write_text("label,x,y,z\np,1,2,3\n")
    assert read_evaluation_set(folder).pairs[0].quality("p") == 1


def test_spaces_capitals_and_blank_lines_do_not_matter(tmp_path):
    folder = write_set(tmp_path / "loose", a="p,1,2,3,1\n", b="p,1,2,3,1\n")
    (folder / "a.csv").write_text("\ufeffLabel, X, Y, Z, Quality\n\n p , 1, 2, 3, 2\n", encoding="utf-8")
    assert read_evaluation_set(folder).pairs[0].quality("p") == 2


def test_a_quality_that_is_none_is_named_with_its_line(tmp_path):
    folder = write_set(tmp_path / "odd", a="p,1,2,3,1\nq,1,2,3,good\n", b="p,1,2,3,1\n")
    with pytest.raises(LandmarkError, match=r"a\.csv, line 3: quality must be 1, 2 or 3, got 'good'"):
        read_evaluation_set(folder)


def test_a_volume_without_landmarks_is_named(three_patients):
    (three_patients / "b.csv").unlink()
    with pytest.raises(LandmarkError, match=r"b\.nii\.gz: .*b\.csv"):
        read_evaluation_set(three_patients)


def test_a_set_without_common_labels_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no two volumes there have a label in common"):
        read_evaluation_set(write_set(tmp_path / "apart", a="p,1,2,3,1\n", b="q,1,2,3,1\n"))


def test_an_unknown_set_is_named_beside_those_there_are(three_patients):
    with pytest.raises(UsageError, match="no test set lungs; it has three"):
        find_evaluation_sets(three_patients.parent, ["lungs"])


def test_only_the_wanted_sets_are_read(three_patients):
    write_set(three_patients.parent / "broken", a="p,1,2,3,9\n", b="p,1,2,3,9\n")
    assert [each.name for each in find_evaluation_sets(three_patients.parent, ["three"])] == ["three"]


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_a_folder_without_sets_is_refused(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=f"{folder}.*holds the test sets"):
        find_evaluation_sets(tmp_path / folder)


def test_hidden_files_and_folders_are_left_alone(three_patients):
    shutil.copytree(three_patients, three_patients.parent / ".cache")
    (three_patients / "._a.nii.gz").touch()
    assert [each.name for each in find_evaluation_sets(three_patients.parent)] == ["three"]
    assert [volume_name(path) for path in volume_files(three_patients)] == ["a", "b", "c"]


@pytest.mark.skipif(not SHARED_SETS.is_dir(), reason="the development test sets are not on this machine")
def test_the_development_sets_have_the_published_counts():
    sets = {each.name: each for each in find_evaluation_sets(SHARED_SETS)}
    counts = {name: sum(len(pair.labels) for pair in each.pairs) for name, each in sets.items()}
    assert counts == {
        "lung-followup": 51,
        "abdomen-followup": 20,
        "chest": 114,
        "abdomen": 86,
        "head-neck": 660,
    }
    lung = sets["lung-followup"].pairs[0]
    assert [label for label in lung.labels if lung.quality(label) == 3] == ["p035"]
