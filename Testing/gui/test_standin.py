"""The stand-in itself: what it refuses, so that the tests on it mean something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from slicer_standin import api

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "slicer-api.json"


def test_a_member_that_slicer_does_not_have_is_refused(bench):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    with pytest.raises(AttributeError, match="in Slicer has no member 'currentNodeName'"):
        selector.currentNodeName()


def test_a_member_that_only_the_stand_in_lacks_is_told_apart(bench):
    import slicer

    with pytest.raises(AttributeError, match="exists in Slicer, but the stand-in lacks it"):
        slicer.qMRMLNodeComboBox().nodeFromIndex(0)


def test_a_member_that_the_oldest_supported_version_lacks_is_refused(bench):
    import slicer

    with pytest.raises(AttributeError, match="nodeAddedByUserAction exists from Slicer 5.12 on only"):
        slicer.qMRMLNodeComboBox().nodeAddedByUserAction.connect(print)


def test_newer_members_are_members_of_the_newest_version():
    for name, entry in api.slicer_api().items():
        assert set(api.newer_members_of(name)) <= set(entry["members"]), name


def test_an_attribute_that_qt_does_not_have_can_not_be_assigned(bench):
    import qt

    button = qt.QPushButton()
    button.text = "Go"
    assert button.text == "Go"
    with pytest.raises(AttributeError, match="no property 'label'"):
        button.label = "Go"


def test_a_stand_in_with_an_invented_member_can_not_be_made(bench):
    import qt

    class ctkDirectoryButton(qt.QWidget):
        def chooseFolder(self) -> None:
            """CTK has no such method."""

    with pytest.raises(TypeError, match="has no chooseFolder"):
        api.stands_in(ctkDirectoryButton)


def test_an_unknown_parameter_name_in_the_ui_is_refused(bench):
    import qt
    import slicer

    class Ui:
        pass

    ui = Ui()
    ui.box = qt.QCheckBox()
    ui.box.setProperty("SlicerParameterName", "lively")
    parameters = slicer.modules.SAMLandmarkWidget.logic.getParameterNode()
    with pytest.raises(ValueError, match="Cannot find a param with the given name: lively"):
        parameters.connectGui(ui)


@pytest.mark.skipif(not REFERENCE.is_file(), reason="Slicer's full list of members is not here")
def test_the_list_of_members_is_that_of_the_reference():
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    for name, entry in api.slicer_api().items():
        listed = {
            member
            for group in ("invokable", "properties", "public", "signals", "slots")
            for member in reference[name][group]
        }
        assert set(entry["members"]) == listed, name
