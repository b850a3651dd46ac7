"""The review on the page: the same keys, decisions and marks as in the Slicer module."""

from __future__ import annotations

import numpy as np
import pytest
from visitor import FOLLOW_UP, TEMPLATE

LABELS = ("transverse_process_tip_l1_left", "celiac_aorta_inferior_crotch", "spinous_tip_t12")
TIP = LABELS[0]


@pytest.fixture
def visitor(reader):
    """A visitor who looks at the tip of a transverse process; what is decided is undone afterwards."""
    reader.choose(TIP)
    before = reader.results()
    yield reader
    reader.undo_until(before)


def test_the_template_s_landmarks_are_carried_without_a_click(visitor, truth):
    errors = [np.linalg.norm(visitor.place_of(label) - truth[label]) for label in LABELS]
    assert max(errors) < 8.0


def test_the_page_says_how_sure_a_result_is(visitor):
    details = visitor.page.inner_text("#details")
    assert f"{round(100 * visitor.cell(TIP)['confidence'])} % sure to be within 10 mm" in details
    assert f"{TIP} on may: Found." in details


@pytest.mark.parametrize(
    ("key", "decision"), [("a", "ACCEPTED"), ("r", "REJECTED"), ("m", "SET_MISSING"), ("A", "ACCEPTED")]
)
def test_a_key_decides_and_is_undone_and_redone(visitor, key, decision):
    visitor.press(key)
    visitor.wait_for_decision(TIP, decision)
    visitor.press("Control+z")
    visitor.wait_for_decision(TIP, "OPEN")
    visitor.press("Control+y")
    visitor.wait_for_decision(TIP, decision)


def test_a_button_decides_as_its_key_does_and_reopens(visitor):
    visitor.page.click("#do-accept")
    visitor.wait_for_decision(TIP, "ACCEPTED")
    visitor.page.click("#do-reopen")
    visitor.wait_for_decision(TIP, "OPEN")


def test_c_moves_to_another_place_and_n_then_finds_it_doubtful(visitor):
    before = visitor.place_of(TIP)
    visitor.press("c")
    visitor.wait(f"get('table').rows[0].cells[0].position_lps?.[0] !== {before[0]}")
    visitor.choose(LABELS[1])
    visitor.press("n")
    visitor.wait(f"get('current').label === '{TIP}'")


def test_n_says_when_nothing_is_left_to_review(visitor):
    visitor.press("n")
    visitor.page.wait_for_selector("#message")
    assert "Nothing doubtful is left" in visitor.page.inner_text("#message")


def test_a_drag_on_the_follow_up_is_a_correction(visitor):
    before = visitor.place_of(TIP)
    visitor.drag(FOLLOW_UP, 40, 0)
    visitor.wait_for_decision(TIP, "CORRECTED")
    moved = visitor.place_of(TIP) - before
    # to the right of an axial slice lies the patient's left, which is positive in LPS
    assert moved[0] > 5
    assert np.abs(moved[1:]).max() < 1.0
    visitor.press("Control+z")
    visitor.wait_for_decision(TIP, "OPEN")
    assert visitor.place_of(TIP) == pytest.approx(before, abs=0.002)


def test_p_puts_the_point_where_the_mouse_is(visitor):
    before = visitor.place_of(TIP)
    visitor.hover(FOLLOW_UP, 0, -50)
    visitor.press("p")
    visitor.wait_for_decision(TIP, "CORRECTED")
    moved = visitor.place_of(TIP) - before
    assert moved[1] < -5
    assert np.abs(moved[[0, 2]]).max() < 1.0


def test_p_beside_the_follow_up_says_what_to_do(visitor):
    visitor.hover(TEMPLATE)
    visitor.press("p")
    visitor.wait("get('message').includes('Hold the mouse over the place on may')")
    assert visitor.cell(TIP)["decision"] == "OPEN"


def test_the_similarity_colors_the_follow_up_and_goes_again(visitor):
    def colored(picture):
        return int((picture[..., 0] - picture[..., 2] > 60).sum())

    before, template = colored(visitor.picture(FOLLOW_UP)), colored(visitor.picture(TEMPLATE))
    visitor.page.click("#switch-heat_map")
    visitor.wait("get('heat_map') && !get('status').busy")
    visitor.wait_for_picture(FOLLOW_UP, lambda picture: colored(picture) > before + 200)
    assert colored(visitor.picture(TEMPLATE)) < template + 50
    visitor.page.click("#switch-heat_map")
    visitor.wait_for_picture(FOLLOW_UP, lambda picture: colored(picture) < before + 50)


def test_a_gray_level_window_shows_the_scans_differently(visitor):
    def brightness(picture):
        return float(picture.mean())

    before = [brightness(visitor.picture(view)) for view in (TEMPLATE, FOLLOW_UP)]
    visitor.page.click("#choice-window button[value=lung]")
    for view, bright in zip((TEMPLATE, FOLLOW_UP), before, strict=True):
        visitor.wait_for_picture(view, lambda picture, bright=bright: brightness(picture) > bright + 20)
    visitor.page.click("#choice-window button[value='soft tissue']")
    visitor.wait_for_picture(FOLLOW_UP, lambda picture: abs(brightness(picture) - before[1]) < 3)


def test_another_orientation_shows_other_views_at_the_same_place(visitor):
    visitor.page.click("#choice-orientation button[value=Coronal]")
    visitor.page.wait_for_selector("#SAMLandmark1Coronal img")
    visitor.page.wait_for_selector(f"#{FOLLOW_UP}", state="detached")
    place = visitor.place_of(TIP)
    visitor.wait_for_slice("SAMLandmark1Coronal", _words(place[1], "P", "A"))
    visitor.wait_for_picture("SAMLandmark1Coronal", lambda picture: picture.std() > 20)
    visitor.page.click("#choice-orientation button[value=Axial]")
    visitor.wait_for_slice(FOLLOW_UP, _words(place[2], "S", "I"))


def _words(value: float, forward: str, back: str) -> str:
    return f"{forward if value >= 0 else back} {abs(value):.0f} mm"


def test_scans_scroll_together_on_demand_only(visitor):
    def millimeters():
        offsets = visitor.state("offsets")
        return [float(offsets[view].split()[1]) for view in (TEMPLATE, FOLLOW_UP)]

    def scroll(*moving):
        """Scroll over the template by four slices, each of which has arrived before the next."""
        before = millimeters()
        visitor.hover(TEMPLATE)
        for _ in range(4):
            shown = visitor.state("offsets")
            visitor.page.mouse.wheel(0, -100)
            for view in moving:
                visitor.wait(f"get('offsets').{view} !== '{shown[view]}'")
        return np.array(millimeters()) - before

    apart = scroll(TEMPLATE)
    assert apart[0] != 0
    assert apart[1] == 0
    visitor.page.click("#switch-linked")
    visitor.wait("get('linked')")
    together = scroll(TEMPLATE, FOLLOW_UP)
    assert together[0] != 0
    assert together[1] == pytest.approx(together[0], abs=1.0)
    visitor.page.click("#switch-linked")
    # going to a result still takes each scan to its own place
    visitor.choose(LABELS[1])
    visitor.wait_for_slice(FOLLOW_UP, _words(visitor.place_of(LABELS[1])[2], "S", "I"))
