"""What a reader draws and says, laid over tracked lesions, and the table that shows both: numbers, without a scene."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tracking"))

from lesions_by_hand import diameter, history

from SAMLandmarkLib.core.lesions import Finding, Lesion, LesionHistory, LesionStatus, Mark, Role, Source
from SAMLandmarkLib.session.lesion_changes import Said, foreign_names, with_drawn, with_said
from SAMLandmarkLib.session.lesion_table import LesionTable, details

HERE = (0.0, 0.0, 0.0)


def proposed(length_mm: float, short_mm: float) -> Finding:
    long, short = diameter(HERE, length_mm), diameter(HERE, short_mm, 1)
    return Finding(
        LesionStatus.PRESENT,
        HERE,
        replace(long, source=Source.IMAGE),
        replace(short, source=Source.IMAGE),
        carried_long=replace(diameter(HERE, length_mm + 3), source=Source.CARRIED),
        confidence=0.8,
        source=Source.IMAGE,
    )


def tracked() -> LesionHistory:
    """T1 of 20 mm with a proposal of 22 x 12 mm, NT1 of 15 mm that is the same."""
    both = history({"T1": [20.0, 20.0]}, others={"NT1": [15.0, 15.0]})
    return both.with_track(both.track("T1").with_finding(1, proposed(22, 12)))


def drawn(name: str, length_mm: float, short_mm: float | None = None, source: Source = Source.HAND) -> Mark:
    short = None if short_mm is None else replace(diameter(HERE, short_mm, 1), source=source)
    long = replace(diameter(HERE, length_mm), source=source)
    role = Role.NEW if name.startswith("N1") else Role.TARGET
    return Mark(Lesion(name, role), Finding(LesionStatus.PRESENT, HERE, long, short, source=source))


REST = drawn("NT1", 15.0)


def test_lines_that_nobody_moved_change_nothing():
    before = tracked()
    marks = [drawn("T1", 22.0, 12.0, Source.IMAGE), REST]
    assert with_drawn(before, 1, marks) == before
    assert with_drawn(before, 0, [drawn("T1", 20.0), REST]) == before


def test_what_is_drawn_is_measured_by_hand_and_what_was_proposed_stays_beside_it():
    before = tracked()
    now = with_drawn(before, 1, [drawn("T1", 30.0), REST]).track("T1").at(1)
    assert (now.long.length_mm, now.long.source, now.confidence) == (30, Source.HAND, 1.0)
    assert (now.short.length_mm, now.short.source) == (12, Source.IMAGE)
    assert now.carried_long.length_mm == 25
    # a proposed short axis that is longer than what was drawn can't be right
    assert with_drawn(before, 1, [drawn("T1", 10.0), REST]).track("T1").at(1).short is None


@pytest.mark.parametrize("status", [LesionStatus.UNCERTAIN, LesionStatus.DISAPPEARED, LesionStatus.TOO_SMALL])
def test_a_lesion_that_is_drawn_is_there(status):
    gone = tracked().track("T1").with_finding(1, Finding(status, HERE, note="why"))
    now = with_drawn(tracked().with_track(gone), 1, [drawn("T1", 9.0), REST]).track("T1").at(1)
    assert (now.status, now.note, now.by_hand) == (LesionStatus.PRESENT, "", True)


def test_a_lesion_whose_line_was_deleted_is_uncertain_and_the_sum_is_not_evaluated():
    now = with_drawn(tracked(), 1, [REST])
    assert now.track("T1").at(1).status is LesionStatus.UNCERTAIN
    rows = {name: cells for name, _what, cells in LesionTable.of(now).rows}
    assert (rows["T1"][1].text, rows["Sum"][1].text, rows["RECIST 1.1"][1].text) == ("uncertain", "–", "NE")
    assert "deleted" in rows["T1"][1].tip


def test_only_lines_named_like_new_lesions_are_new_and_they_are_not_at_the_next_date():
    marks = [drawn("T1", 22.0, 12.0, Source.IMAGE), REST, drawn("N1", 11.0), drawn("L", 40.0)]
    now = with_drawn(tracked(), 1, marks)
    assert [track.lesion.name for track in now] == ["T1", "NT1", "N1"]
    assert now.track("N1").at(1).status is LesionStatus.NEW and foreign_names(now, marks) == ["L"]
    assert with_drawn(tracked(), 0, [drawn("T1", 20.0), REST, drawn("N1", 11.0)]) == tracked()
    table = LesionTable.of(now)
    (response,) = table.responses
    assert "PD proposed" in response and "new" in response
    assert {name: cells[1].kind for name, _what, cells in table.rows}["N1"] == "new"


def test_what_the_reader_says_counts():
    gone = with_said(tracked(), 1, "T1", Said.DISAPPEARED)
    assert gone.track("T1").at(1).status is LesionStatus.DISAPPEARED
    small = with_said(tracked(), 1, "T1", Said.TOO_SMALL)
    sums = next(cells for name, _what, cells in LesionTable.of(small).rows if name == "Sum")
    assert sums[1].text == "5.0 mm\n25 %"
    grown = with_said(tracked(), 1, "NT1", Said.PROGRESSED)
    assert "PD proposed" in LesionTable.of(grown).responses[0]
    assert "unequivocal progression" in details(grown, "NT1", 1)
    assert with_said(tracked(), 1, "nobody", Said.UNCERTAIN) == tracked()


def test_the_table_tells_lengths_parts_and_who_measured():
    rows = {name: (what, cells) for name, what, cells in LesionTable.of(tracked()).rows}
    what, (baseline, follow_up) = rows["T1"]
    assert what == "target" and (baseline.text, baseline.kind) == ("20.0 mm", "hand")
    assert (follow_up.text, follow_up.kind) == ("○ 22.0 mm\n110 %", "proposed")
    assert follow_up.tip.split("\n") == [
        "present",
        "22.0 × 12.0 mm, proposed, by the image",
        "carried only: 25.0 mm",
        "confidence 80 %",
    ]
    assert LesionTable.of(tracked()).titles == ("2024-01-01", "2024-02-01")


def test_dates_that_are_equal_are_told_apart_by_the_scans():
    same = history({"T1": [20.0, 20.0]}, dates=("2024-01-01", "2024-01-01"))
    assert LesionTable.of(same).titles == ("2024-01-01 scan 1", "2024-01-01 scan 2")


def test_a_history_in_another_frame_comes_back_as_it_was():
    turn = np.array([[0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float)
    there = tracked().mapped([np.eye(4), turn])
    moved = there.track("T1").at(1)
    assert moved.position_lps == (5, 0, 0) and moved.long.ends[:, 0] == pytest.approx([5, 5])
    assert there.track("T1").at(0) == tracked().track("T1").at(0)
    back = there.mapped([np.eye(4), np.linalg.inv(turn)]).track("T1").at(1)
    assert back.carried_long.ends == pytest.approx(tracked().track("T1").at(1).carried_long.ends)
