"""The follow-up in the template's frame on the page: registered when it is switched on, shown, and taken away."""

from __future__ import annotations

from visitor import FOLLOW_UP, TEMPLATE

SWITCH = "#switch-registered"


def test_a_registration_is_canceled_by_the_switch(reader):
    reader.page.click(SWITCH)
    reader.wait("get('registered') && get('status').busy && get('status').text !== ''")
    reader.page.click(SWITCH)
    reader.wait("!get('registered') && !get('status').busy")
    assert reader.state("message") == ""


def test_the_registered_follow_up_lies_over_the_template_and_goes_again(reader):
    before, other = reader.picture(TEMPLATE), reader.picture(FOLLOW_UP)
    reader.page.click(SWITCH)
    reader.wait("get('registered') && get('status').busy")
    reader.wait("get('registered') && !get('status').busy")
    reader.wait_for_picture(TEMPLATE, lambda picture: _differing(picture, before) > 0.03)
    assert _differing(reader.picture(FOLLOW_UP), other) < 0.01
    reader.page.click(SWITCH)
    reader.wait_for_picture(TEMPLATE, lambda picture: _differing(picture, before) < 0.01)
    # a second time it need not be computed
    reader.page.click(SWITCH)
    reader.wait_for_picture(TEMPLATE, lambda picture: _differing(picture, before) > 0.03)
    assert not reader.state("status")["busy"]
    reader.page.click(SWITCH)
    reader.wait_for_picture(TEMPLATE, lambda picture: _differing(picture, before) < 0.01)


def _differing(picture, before) -> float:
    """The share of a view that looks different now."""
    return float((abs(picture - before).max(axis=-1) > 4).mean())
