"""The panel as it looks: nothing clipped at 420 px, nothing disabled without a reason, names that agree."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from samples import ROOT, add_points, add_volume, points_inside
from slicer_standin.bench import PANEL_WIDTH

UI = ROOT / "SAMLandmark" / "Resources" / "UI" / "SAMLandmark.ui"
STEPS = (
    *("templateStep", "transferStep", "reviewStep", "lesionStep", "registrationStep"),
    *("batchStep", "advancedStep"),
)
# Widgets that scroll or shorten their contents by themselves.
SCROLLING = (QtWidgets.QAbstractScrollArea, QtWidgets.QScrollBar, QtWidgets.QHeaderView)


def test_names_of_the_ui_are_those_of_the_parameters(bench):
    from SAMLandmarkPanel.parameters import SAMLandmarkParameterNode

    properties = ElementTree.parse(UI).getroot().iter("property")
    bound = [item.findtext("string") for item in properties if item.get("name") == "SlicerParameterName"]
    assert len(bound) == len(set(bound))
    # the follow-ups are ticked in a list, and protocols are known when the panel is made: Slicer binds neither
    assert set(bound) | {"followUps", "protocol"} == set(SAMLandmarkParameterNode.allParameters)


def test_every_widget_of_the_ui_is_one_that_slicer_has():
    declared = {item.findtext("class") for item in ElementTree.parse(UI).getroot().iter("customwidget")}
    used = {item.get("class") for item in ElementTree.parse(UI).getroot().iter("widget")}
    assert {name for name in used if not name.startswith("Q") and name != "Line"} == declared


def _panel(user) -> QtWidgets.QWidget:
    return slicer.modules.samlandmark.widgetRepresentation()


def _shown(user) -> list[QtWidgets.QWidget]:
    return [widget for widget in _panel(user).findChildren(QtWidgets.QWidget) if widget.isVisible()]


def _expand_all(user) -> None:
    for name in STEPS:
        getattr(user.ui, name).collapsed = False
    user.bench.settle(60)


def _clipped(user) -> list[str]:
    """Texts for which there is no room, once the boxes around one that has just changed have made way for it."""
    for _ in range(10):
        clipped = [
            f"{widget.objectName}: {_text(widget)!r}" for widget in _shown(user) if _is_clipped(widget)
        ]
        if not clipped:
            break
        user.bench.settle(50)
    return clipped


def _text(widget: QtWidgets.QWidget) -> str:
    return widget.text if isinstance(widget, (QtWidgets.QLabel, QtWidgets.QAbstractButton)) else ""


def _is_clipped(widget: QtWidgets.QWidget) -> bool:
    text = _text(widget)
    if not text or isinstance(widget.parent(), SCROLLING) or widget.objectName.startswith("qt_"):
        return False
    if widget.parent() is not None and type(widget.parent()).__name__ == "ctkDirectoryButton":
        return False  # shows the end of a long path, as CTK does
    if isinstance(widget, QtWidgets.QLabel) and widget.wordWrap:
        return widget.heightForWidth(widget.width) > widget.height
    if type(widget).__name__ == "ctkCollapsibleButton":
        return (
            widget.fontMetrics().horizontalAdvance(text) + 40 > widget.width
        )  # what it holds is looked at by itself
    needed = widget.sizeHint()
    return needed.width() > widget.width or needed.height() > widget.height


def _too_wide(user) -> list[str]:
    right = PANEL_WIDTH
    edges = {w: w.mapTo(_panel(user).parentWidget(), QtCore.QPoint(w.width, 0)).x() for w in _shown(user)}
    return [
        f"{widget.objectName} ends at {edge}"
        for widget, edge in edges.items()
        if edge > right and not isinstance(widget.parent(), SCROLLING) and not _inside_table(widget)
    ]


def _inside_table(widget: QtWidgets.QWidget) -> bool:
    while widget is not None:
        if isinstance(widget, QtWidgets.QAbstractItemView):
            return True
        widget = widget.parentWidget()
    return False


def test_no_text_is_clipped_in_an_empty_panel(user):
    _expand_all(user)
    assert _clipped(user) == []
    assert _too_wide(user) == []


@pytest.fixture
def full_panel(user, sample_crops):
    """The panel after a transfer to two follow-ups, with a result chosen and a long message."""
    template = add_volume(sample_crops[0], "Baseline", "20240101")
    add_volume(sample_crops[1], "CT abdomen and pelvis portal venous phase 1.5 mm", "20240203")
    add_volume(sample_crops[1], "Second follow-up", "20240809")
    points = dict(list(points_inside("template", sample_crops[0]).items())[:4])
    user.choose(template, add_points(points | {"outside": (0.0, 0.0, 900.0)}))
    user.tick("1.5 mm", "Second follow-up")
    user.transfer()
    _expand_all(user)
    return user


def test_no_text_is_clipped_after_a_transfer(full_panel):
    for row in range(full_panel.ui.reviewTable.rowCount):
        full_panel.click_cell(row, 1)
        assert _clipped(full_panel) == []
        assert _too_wide(full_panel) == []


def test_no_text_is_clipped_in_the_table(full_panel):
    table = full_panel.ui.reviewTable
    full_panel.click_cell(1, 1)
    for row in range(table.rowCount):
        for column in range(table.columnCount):
            lines = table.item(row, column).text().split("\n")
            metrics = QtGui.QFontMetrics(table.item(row, column).font())
            assert max(metrics.horizontalAdvance(line) for line in lines) <= table.columnWidth(column) - 6, (
                lines
            )
            assert len(lines) * metrics.lineSpacing() <= table.rowHeight(row), lines


def test_no_text_is_clipped_while_it_runs(full_panel):
    full_panel.parameters.templatePoints.AddControlPoint(0.0, 0.0, -370.0, "another")
    full_panel.bench.settle()
    with full_panel.engine_held():
        full_panel.click(full_panel.ui.transferButton)
        assert full_panel.ui.transferButton.text == "Cancel"
        full_panel.bench.settle(60)
        assert _clipped(full_panel) == []
    full_panel.wait_for_end()


def test_everything_that_is_disabled_tells_why(user):
    _expand_all(user)
    named = [widget for widget in vars(user.ui).values() if isinstance(widget, QtWidgets.QWidget)]
    enabled_tips = {item.get("name"): item for item in ElementTree.parse(UI).getroot().iter("widget")}
    for widget in named:
        if (
            widget.isVisible()
            and not widget.isEnabledTo(widget.parentWidget())
            and widget.objectName in enabled_tips
        ):
            usual = next(
                (
                    p.findtext("string")
                    for p in enabled_tips[widget.objectName].findall("property")
                    if p.get("name") == "toolTip"
                ),
                "",
            )
            assert widget.toolTip and widget.toolTip != usual, widget.objectName


def test_everything_one_can_press_has_a_tooltip(user):
    _expand_all(user)
    controls = (QtWidgets.QPushButton, QtWidgets.QCheckBox, QtWidgets.QComboBox, QtWidgets.QAbstractSpinBox)
    for widget in vars(user.ui).values():
        if isinstance(widget, controls):
            assert widget.toolTip, widget.objectName
