"""Sentences in the user's language: said at once, and said anew by another process."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from SAMLandmarkLib.core.volume_checks import check_spacing, ct_warnings
from SAMLandmarkLib.matching import decision
from SAMLandmarkLib.review.reasons import reason_in_words
from SAMLandmarkLib.session.status import step_in_words
from SAMLandmarkLib.utils.errors import VolumeError
from SAMLandmarkLib.utils.translation import Sentence, _, pack, sentence_of, set_translator, unpack

GERMAN = {
    "the {color} scan": "die {color}e Aufnahme",
    "{count} voxels in {scan}": "In {scan}: {count} Voxel",
    "low similarity": "geringe Ähnlichkeit",
    "{mm} mm from where the surroundings place it": "{mm} mm neben der erwarteten Stelle",
    "finding the points": "Punkte werden gesucht",
}


@pytest.fixture
def german() -> Iterator[None]:
    """A user who reads German."""
    before = Sentence.translator
    set_translator(lambda context, english: GERMAN.get(english, english))
    yield
    set_translator(before)


def _example() -> Sentence:
    return _("{count} voxels in {scan}").format(count=3, scan=_("the {color} scan").format(color="rot"))


def test_without_a_translator_sentences_are_english() -> None:
    assert _example() == "3 voxels in the rot scan"


def test_sentences_are_said_in_the_users_language(german: None) -> None:
    assert _example() == "In die rote Aufnahme: 3 Voxel"


def test_a_translator_is_told_the_file_that_a_sentence_stands_in() -> None:
    assert _example().context == "unit.test_translation"
    assert ct_warnings(np.zeros((4, 4, 4)))[0].context == "core.volume_checks"


def test_a_translation_that_lacks_a_placeholder_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sentence, "translator", staticmethod(lambda context, english: "{anzahl} Voxel"))
    assert _("{count} voxels").format(count=3) == "3 voxels"


def test_what_another_process_said_is_said_anew(request: pytest.FixtureRequest) -> None:
    sent = json.dumps([pack(_example()), pack("as it is"), pack(None)])
    request.getfixturevalue("german")
    assert [unpack(text) for text in json.loads(sent)] == ["In die rote Aufnahme: 3 Voxel", "as it is", None]


def test_an_error_keeps_its_sentence() -> None:
    with pytest.raises(VolumeError) as caught:
        check_spacing((1.0, 0.0, 1.0), "head")
    assert sentence_of(caught.value).values == {"name": "head", "numbers": "1 x 0 x 1"}
    assert sentence_of(ValueError("plain")) == "plain" and sentence_of(ValueError()) == ""


def test_sentences_can_be_copied_and_stored() -> None:
    for copied in (copy.deepcopy(_example()), pickle.loads(pickle.dumps(_example()))):
        assert copied == _example() and pack(copied) == pack(_example())


EVIDENCE = {
    "border_mm": {"border_mm": -3.0},
    "cycle_error_mm": {"cycle_error_mm": 14.0},
    "deviation_mm": {"deviation_mm": 30.0},
    "margin": {"margin": 0.01},
    "none": {},
}


@pytest.mark.parametrize("changes", EVIDENCE.values(), ids=EVIDENCE.keys())
def test_every_reason_of_the_engine_is_known(
    changes: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = {
        "border_mm": 20.0,
        "cycle_error_mm": 1.0,
        "deviation_mm": 1.0,
        "prediction_sigma_mm": 2.0,
        "margin": 0.5,
    }
    values = {name: [value] for name, value in (usual | changes).items()}
    evidence = SimpleNamespace(matches=SimpleNamespace(margin=values.pop("margin")), **values)
    _is_translated(decision._reason(evidence, 0), monkeypatch)


@pytest.mark.parametrize("reason", [decision.OUTSIDE_TEMPLATE, decision.NOT_DEFINED])
def test_the_reasons_for_points_outside_the_template_are_known(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _is_translated(reason, monkeypatch)


def _is_translated(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Sentence, "translator", staticmethod(lambda context, english: f"translated: {english}")
    )
    assert reason_in_words(reason).startswith("translated: ")


def test_reasons_and_steps_are_said_in_the_users_language(german: None) -> None:
    assert reason_in_words("low similarity") == "geringe Ähnlichkeit"
    assert (
        reason_in_words("12 mm from where the surroundings place it") == "12 mm neben der erwarteten Stelle"
    )
    assert step_in_words("matching") == "Punkte werden gesucht"
    assert reason_in_words("made up") == "made up" and step_in_words("made up") == "made up"
