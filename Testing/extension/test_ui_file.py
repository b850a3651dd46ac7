"""The panel's .ui file: what is a text for the user can be translated, what is not is marked as such."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

REPOSITORY = Path(__file__).parents[2]
FILES = sorted((REPOSITORY / "SAMLandmark" / "Resources" / "UI").glob("*.ui"))

# Properties that the program reads; a translated value would break it.
FOR_THE_PROGRAM = {
    *("SlicerParameterName", "nodeTypes", "settingsKey", "attributes", "nameFilters", "shortcut"),
    *("interactionNodeSingletonTag", "selectionNodeSingletonTag", "quantity", "showFlagMarkupsDisplay"),
}
VISIBLE = {
    "text",
    "title",
    "toolTip",
    "windowTitle",
    "placeholderText",
    "specialValueText",
    "whatsThis",
    "statusTip",
}


def _texts(root: ElementTree.Element) -> Iterator[tuple[str, str, bool]]:
    """Name of the property, its text, and whether it is marked as not translatable."""
    for item in root.iter("property"):
        for element in item.iter():
            if element.tag == "string":
                own = element.get("notr") == "true"
                inherited = any(parent.get("notr") == "true" for parent in item.iter("stringlist"))
                yield item.get("name"), element.text or "", own or inherited


def _problems(root: ElementTree.Element) -> list[str]:
    found = []
    for name, text, marked in _texts(root):
        if name in FOR_THE_PROGRAM and not marked:
            found.append(f"{name} '{text}' needs notr=\"true\"")
        if name in VISIBLE and marked and re.search(r"[A-Za-z]{2}", text):
            found.append(f"{name} '{text}' is visible, but marked as not translatable")
    return found


@pytest.fixture(params=FILES, ids=[path.name for path in FILES])
def ui(request: pytest.FixtureRequest) -> ElementTree.Element:
    """The root of each .ui file in turn."""
    return ElementTree.parse(request.param).getroot()


def test_texts_are_marked_for_translators(ui: ElementTree.Element) -> None:
    assert _problems(ui) == []


def test_panel_keeps_the_style_of_slicer(ui: ElementTree.Element) -> None:
    """No style sheets and fonts of its own: they break dark mode and large text."""
    assert [
        item.get("name") for item in ui.iter("property") if item.get("name") in {"styleSheet", "font"}
    ] == []


def test_panel_is_the_one_that_slicer_looks_for(ui: ElementTree.Element) -> None:
    assert [path.name for path in FILES] == ["SAMLandmark.ui"]
    assert next(ui.iter("widget")).get("class") == "qMRMLWidget"


def test_every_selector_of_nodes_gets_the_scene(ui: ElementTree.Element) -> None:
    """A selector that is not connected to the panel's scene stays empty in Slicer."""
    takers = {
        widget.get("name")
        for widget in ui.iter("widget")
        if re.match(
            r"q(MRML|Slicer)\w*(ComboBox|MarkupsWidget|PlaceWidget|TableView|TreeView)$", widget.get("class")
        )
    }
    connected = {
        connection.findtext("receiver")
        for connection in ui.iter("connection")
        if connection.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        and connection.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"
    }
    assert takers - connected == set()


@pytest.mark.parametrize(
    "text",
    [
        '<property name="SlicerParameterName"><string>a</string></property>',
        '<property name="nodeTypes"><stringlist><string>vtkMRMLNode</string></stringlist></property>',
        '<property name="text"><string notr="true">Transfer</string></property>',
    ],
)
def test_a_wrong_mark_is_found(text: str) -> None:
    assert len(_problems(ElementTree.fromstring(f"<ui>{text}</ui>"))) == 1
