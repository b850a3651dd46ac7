"""The page about a patient's lesions, from numbers and made scans."""

from __future__ import annotations

import numpy as np
import pytest
from lesions_by_hand import diameter, history

from SAMLandmarkLib.core.lesions import LesionHistory, Source
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.tracking.report import lesion_page


def told() -> LesionHistory:
    """A course with a partial response, and a new lesion at the third date."""
    given = history(
        {"T1": [40, 24, 22], "T2": [30, "too small", "gone"], "<T3>": [20, "not evaluated", None]},
        nodes={"LN1": [16, 12, 9]},
        others={"NT1": [12, 12, 12]},
        new={"N1": [None, None, 9]},
    )
    image = diameter((0, 0, 0), 24.0)
    proposed = (
        given.track("T1")
        .at(1)
        .changed(
            source=Source.IMAGE,
            long=type(image)(image.ends_lps, Source.IMAGE),
            carried_long=type(image)(diameter((0, 0, 0), 39.0).ends_lps, Source.CARRIED),
            confidence=0.87,
        )
    )
    refused = given.track("NT1").at(2).changed(long=None, note="measure by hand: its contrast is too low")
    given = given.with_track(given.track("T1").with_finding(1, proposed))
    given = given.with_track(given.track("NT1").with_finding(2, refused))
    return LesionHistory("P <1>", given.visits, given.tracks, ("T1 and T2 lie in one place (0.0 mm apart)",))


def scan(visit: int) -> Volume | None:
    if visit == 2:
        return None
    array = np.random.default_rng(visit).normal(60, 20, (20, 40, 40)).astype(np.float32)
    ijk_to_lps = np.diag([2.5, 2.5, 2.5, 1.0])
    ijk_to_lps[:3, 3] = (-50, -50, -25)
    return Volume(array, ijk_to_lps)


@pytest.fixture(scope="module")
def text() -> str:
    return lesion_page(told(), scan)


def test_the_page_is_whole(text, parsed):
    page = parsed(text)
    # names are shown as they are and are no markup
    assert "Lesions of P <1>" in page.headings[0]
    assert "<T3>" not in text and "&lt;T3&gt;" in text


@pytest.mark.parametrize(
    "said",
    [
        "T1 and T2 lie in one place",
        "baseline",
        "○ 24.0",
        "(60 % / 60 %)",
        "too small to measure",
        "disappeared",
        "not in the field of view",
        "measure by hand: its contrast is too low",
        "24.0 mm, proposed, by the image; carried only 39.0 mm; confidence 87%",
        "a new lesion",
        "best overall response, proposed",
        "not all targets were evaluated",
    ],
)
def test_what_a_reader_needs_is_there(text, said):
    assert said in text


def test_pictures_are_there_where_the_scan_can_be_read(text):
    # six lesions at the first date, five of them at the second, where one has no place
    assert text.count('<img alt="" src="data:image/png;base64,') == 9
    assert "no picture of this scan" in text
    assert text.count('class="line proposed"') == 1 and text.count('class="line "') >= 8


def test_links_lead_to_the_lesions(text):
    for number in range(len(told().tracks)):
        assert f'href="#lesion-{number}"' in text and f'id="lesion-{number}"' in text


def test_a_baseline_alone_has_a_page_too(parsed):
    alone = history({"T1": [20]})
    text = lesion_page(alone, lambda visit: None)
    assert parsed(text).headings and "no follow-up" in text
