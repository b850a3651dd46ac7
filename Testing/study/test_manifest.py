"""A manifest is read as it stands, or refused with the place of each mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from SAMLandmarkLib.study.manifest import read_manifest
from SAMLandmarkLib.study.plan import StudyPlan, StudyScan, Template
from SAMLandmarkLib.utils.errors import UsageError

HEADER = "patient,role,date,volume,landmarks\n"


@pytest.fixture
def folder(tmp_path: Path, write_point_lists) -> Path:
    """A folder with a landmarks file `a.mrk.json` and a few volumes that are there but hold nothing."""
    write_point_lists({})
    (tmp_path / "deep").mkdir()
    for name in ("t.nii.gz", "f1.nii.gz", "f2.nii.gz", "deep/f1.nii.gz"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def written(folder: Path, text: str, name: str = "manifest.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


def mistakes(folder: Path, *lines: str, **options) -> str:
    with pytest.raises(UsageError) as caught:
        read_manifest(written(folder, HEADER + "\n".join(lines) + "\n"), **options)
    return str(caught.value)


def test_templates_and_follow_ups_are_told_apart_and_follow_ups_go_by_date(folder):
    text = (
        "\ufeffVolume,Patient,Role,Comment,Date,Landmarks\n"
        "f2.nii.gz,Anna,Follow-up,late,20240601,\n"
        'deep/f1.nii.gz,Anna,follow-up,"early, but good",2024-03-01,\n'
        "\n"
        "f1.nii.gz,Anna,follow-up,,2024-05-01,\n"
        "t.nii.gz,Anna,template,,,a.mrk.json\n"
    )
    (patient,) = read_manifest(written(folder, text)).plan.patients
    assert [(scan.name, scan.date) for scan in patient.follow_ups] == [
        ("deep_f1", "2024-03-01"),
        (f"{folder.name}_f1", "2024-05-01"),
        ("f2", "2024-06-01"),
    ]
    (template,) = patient.templates
    assert (template.scan.path, template.landmarks) == (folder / "t.nii.gz", folder / "a.mrk.json")
    assert patient.own_baseline


def test_the_plan_holds_wherever_one_goes_from_there(folder, monkeypatch):
    written(folder, HEADER + "Anna,template,,t.nii.gz,a.mrk.json\nAnna,follow-up,,deep/f1.nii.gz,\n")
    monkeypatch.chdir(folder)
    (patient,) = read_manifest(Path("manifest.csv")).plan.patients
    monkeypatch.chdir("/")
    template = patient.templates[0]
    assert template.scan.path.is_file()
    assert template.landmarks.is_file()
    assert patient.follow_ups[0].path == folder / "deep" / "f1.nii.gz"


def test_a_spreadsheet_with_semicolons_is_read(folder):
    text = "patient;role;date;volume;landmarks\n7;template;;t.nii.gz;a.mrk.json\n7;follow-up;;f1.nii.gz;\n"
    assert len(read_manifest(written(folder, text)).plan) == 1


@pytest.mark.parametrize("wrapped", [False, True])
def test_json_says_the_same(folder, wrapped):
    scans = [
        {"patient": 7, "role": "template", "date": None, "volume": "t.nii.gz", "landmarks": "a.mrk.json"},
        {"patient": 7, "role": "follow-up", "volume": str(folder / "f1.nii.gz")},
    ]
    document = json.dumps({"scans": scans} if wrapped else scans)
    (patient,) = read_manifest(written(folder, document, "m.json")).plan.patients
    assert patient.patient == "7"
    assert patient.follow_ups[0].path == folder / "f1.nii.gz"


def test_a_plan_is_the_same_after_it_was_written_down(folder):
    text = HEADER + "A,template,2024-01-01,t.nii.gz,a.mrk.json\nA,follow-up,,f1.nii.gz,\n"
    plan = read_manifest(written(folder, text)).plan
    assert StudyPlan.from_document(json.loads(json.dumps(plan.to_document()))) == plan


def test_every_mistake_is_told_with_line_and_column(folder):
    text = mistakes(
        folder,
        "A,template,2024-13-01,t.nii.gz,a.mrk.json",
        ",follow-up,,f1.nii.gz,",
        "A,baseline,,f1.nii.gz,",
        "A,follow-up,,,",
        "A,follow-up,,f2.nii.gz,a.mrk.json",
        "B,template,,t.nii.gz,",
        "C,template,,gone.nii.gz,gone.mrk.json",
    )
    for place in (
        "line 2, column date: '2024-13-01'",
        "line 3, column patient: it is empty",
        "line 4, column role: 'baseline' is no role; write template or follow-up",
        "line 5, column volume: it is empty",
        "line 6, column landmarks: only a template has landmarks",
        "line 7, column landmarks: it is empty",
        "line 8, column volume: ",
        "line 8, column landmarks: ",
    ):
        assert place in text


def test_a_thousand_mistakes_do_not_flood_the_terminal(folder):
    text = mistakes(folder, *["A,what,,f1.nii.gz,"] * 1000)
    assert text.count("\n") < 30
    assert "and 980 more" in text


def test_a_missing_follow_up_is_a_doubt_and_stays_in_the_plan(folder):
    text = HEADER + "A,template,,t.nii.gz,a.mrk.json\nA,follow-up,,gone.nii.gz,\nA,follow-up,,f1.nii.gz,\n"
    manifest = read_manifest(written(folder, text))
    assert len(manifest.plan) == 2
    (doubt,) = manifest.doubts
    assert doubt.startswith("line 3, column volume: ")
    assert "gone.nii.gz does not exist" in doubt


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (["A,template,,t.nii.gz,a.mrk.json", "A,follow-up,,f1.nii.gz,", "A,follow-up,,./f1.nii.gz,"], "line 4, column volume"),
        (["A,template,,t.nii.gz,a.mrk.json", "A,follow-up,,t.nii.gz,"], "line 3, column volume"),
        (["Ann,template,,t.nii.gz,a.mrk.json", "ANN,template,,t.nii.gz,a.mrk.json"], "line 3, column patient"),
        (["A/B,template,,t.nii.gz,a.mrk.json", "A_B,template,,t.nii.gz,a.mrk.json"], "line 3, column patient"),
        (["A,follow-up,,f1.nii.gz,"], "line 2, column role: patient A has no template"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_told(folder, lines, place):
    assert place in mistakes(folder, *lines)


def test_csv_landmarks_need_their_frame(folder):
    (folder / "points.csv").write_text("label,x,y,z\ncarina,1,2,3\n")
    line = "A,template,,t.nii.gz,points.csv"
    assert "line 2, column landmarks" in mistakes(folder, line)
    manifest = read_manifest(written(folder, f"{HEADER}{line}\nA,follow-up,,f1.nii.gz,\n"), csv_frame="RAS")
    assert len(manifest.plan) == 1


def test_a_common_template_serves_those_without_their_own(folder):
    common = Template(StudyScan("", "atlas", folder / "f2.nii.gz"), folder / "a.mrk.json")
    text = HEADER + "A,template,,t.nii.gz,a.mrk.json\nA,follow-up,,f1.nii.gz,\nB,follow-up,,f1.nii.gz,\n"
    own, without = read_manifest(written(folder, text), [common]).plan.patients
    assert own.own_baseline
    assert without.templates == (common,)
    assert not without.own_baseline


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no scans"),
        (HEADER, "lists no scans"),
        ("patient,volume\nA,b\n", "line 1: the columns role, date, landmarks are missing"),
        ("patient,role,date,volume,landmarks,role\n", "line 1: the column role is there twice"),
        (HEADER + "A,follow-up,,a,b.nii.gz,\n", "line 2: there are more cells"),
        (HEADER + 'A,"follow\n', "check the quotes"),
    ],
)
def test_what_is_no_manifest_is_refused(folder, text, message):
    with pytest.raises(UsageError, match=message):
        read_manifest(written(folder, text))


@pytest.mark.parametrize("text", ['{"a": 1}', "[1, 2]", "3"])
def test_json_of_another_shape_is_refused(folder, text):
    with pytest.raises(UsageError, match="a list of objects"):
        read_manifest(written(folder, text, "m.json"))


def test_broken_json_is_refused_with_its_place(folder):
    with pytest.raises(UsageError, match="line 2, column 3"):
        read_manifest(written(folder, "[\n  nothing]", "m.json"))


def test_files_that_are_no_text_are_refused(folder):
    for path in (folder / "gone.csv", written(folder, "ü", encoding="latin-1")):
        with pytest.raises(UsageError, match="can't be read as a manifest"):
            read_manifest(path)


@pytest.mark.parametrize("text", ["[" * 100_000, '[{"patient": ' + "9" * 5000 + "}]"])
def test_json_that_no_program_writes_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(UsageError, match="JSON that no program writes"):
        read_manifest(tmp_path / "study.json")


@pytest.mark.parametrize("column", ["patient", "volume", "landmarks"])
def test_a_sign_that_cannot_be_shown_is_a_mistake_of_its_line(tmp_path: Path, column: str) -> None:
    row = {"patient": "a", "role": "template", "date": "", "volume": "v.nii", "landmarks": "p.csv"} | {
        column: "x\0y"
    }
    (tmp_path / "study.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    with pytest.raises(UsageError, match=f"line 2, column {column}: .*can't be shown"):
        read_manifest(tmp_path / "study.csv")


@pytest.mark.parametrize("role", ["template", "follow-up"])
def test_a_path_that_is_too_long_for_the_system_is_a_mistake_of_its_line(folder: Path, role: str) -> None:
    points = "a.mrk.json" if role == "template" else ""
    text = mistakes(folder, f"A,{role},2024-01-01,{'9' * 5000}.nii,{points}")
    assert "line 2, column volume" in text
    assert "can't be looked for" in text
    assert len(text) < 1000
