"""Points placed and dragged on the template appear on the follow-up."""

from __future__ import annotations

import numpy as np
import pytest
from visitor import FOLLOW_UP, TEMPLATE, count_color

from SAMLandmarkLib.scene.follow_up import SETTLED_COLOR, WAITING_COLOR

# As good as two readings of a point by people, with a click that hits the pixel beside it.
NEAR_MM = 6.0
PLACED = "transverse_process_tip_l1_left"
POINT = "Point 1"


@pytest.fixture(scope="module")
def server(start_server, files):
    """A page without points; template and follow-up show the slice through their middle."""
    return start_server("--template", files["april"], "--follow-up", files["may"])


@pytest.fixture(scope="module")
def visitor(browser, server):
    from visitor import Visitor

    context = browser.new_context(viewport={"width": 1280, "height": 800})
    person = Visitor(context.new_page(), server.address)
    person.wait_until_ready()
    yield person
    context.close()


@pytest.fixture
def placed(visitor):
    """A visitor who has just placed a point on the landmark in the middle of the template; undone afterwards."""
    visitor.before = visitor.picture(FOLLOW_UP)
    visitor.page.click("#place")
    visitor.wait("get('placing')")
    visitor.click(TEMPLATE)
    visitor.page.wait_for_selector(f"td[data-label='{POINT}'][data-status]")
    visitor.page.click("#place")
    visitor.wait("!get('placing')")
    yield visitor
    visitor.undo_until({})


def test_a_click_on_the_template_shows_the_point_where_it_is_in_the_follow_up(placed, truth):
    assert np.linalg.norm(placed.place_of(POINT) - truth[PLACED]) < NEAR_MM


def test_the_follow_up_goes_there_and_draws_the_point(placed):
    height, width = placed.before.shape[:2]
    middle = (slice(height // 2 - 25, height // 2 + 25), slice(width // 2 - 25, width // 2 + 25))
    colors = (SETTLED_COLOR, WAITING_COLOR)
    assert sum(count_color(placed.before, color) for color in colors) == 0
    placed.wait_for_picture(
        FOLLOW_UP, lambda picture: sum(count_color(picture[middle], color) for color in colors) > 10
    )


def test_a_drag_on_the_template_carries_the_point_again_when_it_is_let_go(placed):
    before = placed.place_of(POINT)
    placed.drag(TEMPLATE, 0, -40)
    placed.wait(f"get('table').rows[0].cells[0].position_lps?.[1] !== {before[1]}")
    placed.wait_until_ready()
    # up in an axial slice is towards the front, which is negative in LPS
    assert placed.place_of(POINT)[1] < before[1] - 5


def test_undo_takes_a_drag_back_with_what_followed_from_it(placed):
    before = placed.place_of(POINT)
    placed.drag(TEMPLATE, 40, 0)
    placed.wait(f"get('table').rows[0].cells[0].position_lps?.[0] !== {before[0]}")
    placed.wait_until_ready()
    placed.press("Control+z")
    placed.wait(f"get('table').rows[0].cells[0].position_lps?.[0] === {before[0]}")
    placed.press("Control+y")
    placed.wait(f"get('table').rows[0].cells[0].position_lps?.[0] !== {before[0]}")


def test_a_click_on_the_follow_up_while_placing_adds_no_point(placed):
    placed.page.click("#place")
    placed.wait("get('placing')")
    placed.click(FOLLOW_UP, 30, 30)
    placed.click(TEMPLATE, 50, 50)
    placed.page.wait_for_selector("td[data-label='Point 2'][data-status]")
    placed.page.click("#place")
    placed.wait("!get('placing')")
    assert [row["label"] for row in placed.state("table")["rows"]] == [POINT, "Point 2"]


def test_a_click_with_the_right_button_ends_placing(placed):
    placed.page.click("#place")
    placed.wait("get('placing')")
    placed.hover(TEMPLATE, 50, 50)
    placed.page.mouse.down(button="right")
    placed.page.mouse.up(button="right")
    placed.wait("!get('placing')")
    assert placed.page.inner_text("#place") == "Place points"


def test_a_point_is_renamed_on_the_page_and_letters_in_the_name_are_no_commands(placed):
    row = placed.page.locator("tbody tr").first
    row.hover()
    row.locator("[title='Rename'] i").click()
    row.locator("input").fill("")
    row.locator("input").press_sequentially("arm")
    row.locator("input").press("Enter")
    placed.page.wait_for_selector("td[data-label='arm'][data-decision='OPEN']")
