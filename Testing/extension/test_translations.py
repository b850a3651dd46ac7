"""Every text that the user sees can be translated, and is US English."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FILES = sorted(
    path
    for path in (REPOSITORY / "SAMLandmark").rglob("*.py")
    if "Testing" not in path.parts and path.name != "self_test.py"
)
# The library's parts whose sentences the panel shows; the report is a document, in English wherever it was written.
LIBRARY = REPOSITORY / "SAMLandmarkLib"
# What is wrong with the description inside a model file is told, in English, to whoever made the file.
MODEL_DESCRIPTIONS = ("embedding_network.py", "levels.py", "metadata.py", "model_file.py")
LIBRARY_FILES = sorted(
    path
    for part in ("session", "review", "scene", "worker", "models")
    for path in (LIBRARY / part).glob("*.py")
    if path.name not in MODEL_DESCRIPTIONS
) + [
    LIBRARY / name
    for name in (
        "utils/bundled.py",
        "embedding/cache.py",
        "utils/files.py",
        "io/result_files.py",
        "core/volume_checks.py",
    )
]
IDS, ALL_IDS = [path.name for path in FILES], [path.name for path in (*FILES, *LIBRARY_FILES)]

# Functions whose text arguments, and properties whose text, the user reads.
VISIBLE_CALLS = {
    *("setText", "setToolTip", "setWindowTitle", "setInformativeText", "setTitle", "setPlaceholderText"),
    *("setStatusTip", "setLabelText", "addItem", "addAction", "addButton", "setHorizontalHeaderLabels"),
    *("setVerticalHeaderLabels", "setHeaderLabels", "errorDisplay", "infoDisplay", "warningDisplay"),
    *("confirmOkCancelDisplay", "confirmYesNoDisplay", "messageBox", "showStatusMessage", "delayDisplay"),
    *("createProgressDialog", "tryWithErrorDisplay", "getExistingDirectory", "getOpenFileName"),
    *("QAction", "QLabel", "QPushButton", "QToolButton", "QCheckBox", "QGroupBox", "QTableWidgetItem"),
}
VISIBLE_PROPERTIES = {
    *("text", "toolTip", "title", "windowTitle", "placeholderText", "statusTip", "labelText", "helpText"),
    *("acknowledgementText", "specialValueText", "suffix", "prefix"),
}
BRITISH = re.compile(
    r"\b\w*(?:colour|centre|behaviour|neighbour|favour|labelled|cancelled|cancelling|travell|grey|catalogue"
    r"|(?:normal|recogn|organ|optim|initial|visual|local|minim|maxim|synchron|standard|anonym|summar|util|anal)[iy]s(?:e|ing|ation))"
    r"\w*",
    re.IGNORECASE,
)


def _translated(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls of `_()`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            yield node


def _unreadable_for_translators(source: str) -> list[str]:
    """The calls of `_()` whose text is not one plain literal: the tool that collects the texts can't see it."""
    return [
        ast.unparse(call)
        for call in _translated(ast.parse(source))
        if len(call.args) != 1
        or call.keywords
        or not (isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str))
    ]


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _wrong_placeholders(source: str) -> list[str]:
    """The texts with placeholders that have no name, or that no `.format()` of the file fills exactly."""
    tree = ast.parse(source)
    own = {
        node.func.value: {keyword.arg for keyword in node.keywords}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"
    }
    wrong = []
    for call in _translated(tree):
        names = _placeholders(getattr(call.args[0], "value", ""))
        if names != own[call] if call in own else not _filled_later(names, own.values()):
            wrong.append(ast.unparse(call))
    return wrong


def _filled_later(names: set[str], fills: Iterable[set[str]]) -> bool:
    return not names or ("" not in names and any(names <= keywords for keywords in fills))


def _literals(node: ast.AST) -> Iterator[str]:
    """The texts below `node` that are not inside a call of `_()` or another function, nor a subscript."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        yield from _literals(node.func.value)
    if isinstance(node, ast.JoinedStr | ast.BinOp | ast.IfExp | ast.List | ast.Tuple | ast.BoolOp):
        for child in ast.iter_child_nodes(node):
            if not (isinstance(node, ast.IfExp) and child is node.test):
                yield from _literals(child)


def _not_translated(source: str) -> list[str]:
    """The visible texts with words in them that do not go through `_()`."""
    shown: list[ast.AST] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            texts = [item.value for item in node.keywords if item.arg in VISIBLE_PROPERTIES]
            shown += [*node.args, *texts] if name in VISIBLE_CALLS else texts
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(getattr(target, "attr", None) in VISIBLE_PROPERTIES for target in targets):
                shown.append(node.value)
    return [text for node in shown for text in _literals(node) if re.search(r"[A-Za-z]{2}", text)]


def _sentences_in_english_only(source: str) -> list[str]:
    """The sentences in a file, besides docstrings, that do not go through `_()`."""
    tree = ast.parse(source)
    skipped: set[ast.AST] = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    skipped |= {argument for call in _translated(tree) for argument in call.args}
    skipped |= {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    texts = ((node, _text_of(node)) for node in ast.walk(tree) if node not in skipped)
    return [text for _, text in texts if re.fullmatch(r"\S+( \S+){2,}\.", text)]


def _text_of(node: ast.AST) -> str:
    """A literal's text, with an x for each value that it holds; "" for everything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(part) or "x" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _translated_at_import(source: str) -> list[str]:
    """The calls of `_()` that run when the file is imported, before there is a translator."""
    inside = {
        call
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.Lambda)
        for call in _translated(node)
    }
    seen = {(call.lineno, call.col_offset) for call in inside}
    calls = _translated(ast.parse(source))
    return [ast.unparse(call) for call in calls if (call.lineno, call.col_offset) not in seen]


def _british(text: str) -> list[str]:
    return [match.group() for match in BRITISH.finditer(text)]


@pytest.mark.parametrize("path", [*FILES, *LIBRARY_FILES], ids=ALL_IDS)
def test_translated_texts_are_plain_literals(path: Path) -> None:
    assert _unreadable_for_translators(path.read_text()) == []


@pytest.mark.parametrize("path", [*FILES, *LIBRARY_FILES], ids=ALL_IDS)
def test_placeholders_have_names_and_are_filled(path: Path) -> None:
    assert _wrong_placeholders(path.read_text()) == []


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_visible_texts_are_translated(path: Path) -> None:
    assert _not_translated(path.read_text()) == []


@pytest.mark.parametrize("path", LIBRARY_FILES, ids=[path.name for path in LIBRARY_FILES])
def test_sentences_of_the_library_are_translated_when_they_are_said(path: Path) -> None:
    assert _sentences_in_english_only(path.read_text()) == []
    assert _translated_at_import(path.read_text()) == []


@pytest.mark.parametrize("path", [*FILES, *LIBRARY_FILES], ids=ALL_IDS)
def test_visible_texts_are_us_english(path: Path) -> None:
    texts = [call.args[0].value for call in _translated(ast.parse(path.read_text()))]
    assert [word for text in texts for word in _british(text)] == []


def test_there_are_texts_to_check() -> None:
    assert sum(len(list(_translated(ast.parse(path.read_text())))) for path in FILES) > 20


@pytest.mark.parametrize(
    "source",
    ["_(f'{a} b')", "_('a ' + b)", "_('a %s' % b)", "_(text)", "_('a {b}'.format(b=1))", "_('a', 'b')"],
)
def test_a_text_that_translators_cannot_see_is_found(source: str) -> None:
    assert len(_unreadable_for_translators(source)) == 1


@pytest.mark.parametrize(
    "source", ["_('{} left').format(3)", "_('{count} left')", "_('{a}').format(b=1)", "_('left').format(a=1)"]
)
def test_a_wrong_placeholder_is_found(source: str) -> None:
    assert len(_wrong_placeholders(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "w.setText('Transfer')",
        "w.text = f'{n} points'",
        "w.toolTip = _('a') + ' or so'",
        "slicer.util.errorDisplay('No volume')",
        "t.setHorizontalHeaderLabels(['Label', _('Status')])",
        "w.text = 'On' if x else _('Off')",
        "f(labelText='Wait')",
        "b.setText('{n} points'.format(n=1))",
        "self.parent.helpText += 'More'",
    ],
)
def test_a_visible_text_that_is_not_translated_is_found(source: str) -> None:
    assert len(_not_translated(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "w.setText(_('Transfer'))",
        "w.text = str(n)",
        "w.text = '-'",
        "w.text = names['first']",
        "a.b = 'text'",
    ],
)
def test_a_text_that_need_not_be_translated_is_left_alone(source: str) -> None:
    assert _not_translated(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "f(f'{a} is full.')",
        "x = 'The disk is full.'",
        "raise E(f'It is {a!r}.')",
        "f('It is {a}.'.format(a=1))",
    ],
)
def test_a_sentence_in_english_only_is_found(source: str) -> None:
    assert len(_sentences_in_english_only(source)) == 1


@pytest.mark.parametrize("source", ["'The disk is full.'", "f(_('It is {a}.').format(a=1))", "open('a.b.')"])
def test_a_docstring_a_translated_sentence_and_a_name_are_left_alone(source: str) -> None:
    assert _sentences_in_english_only(source) == []


def test_a_text_that_is_translated_too_early_is_found() -> None:
    assert _translated_at_import("A = _('a')\ndef f():\n    return _('b')") == ["_('a')"]


def test_british_spelling_is_found() -> None:
    assert _british("Colour of the centre, otherwise normalised; an analysis is supervised") == [
        "Colour",
        "centre",
        "normalised",
    ]
