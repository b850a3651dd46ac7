"""The bare bones of a page that needs nothing else: escaped text, tables, and the frame around all of it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from html import escape
from itertools import zip_longest

from .report_style import STYLE, SYMBOLS

_LONG_WORD = 18
_PIECES = re.compile(rf"[^_./\\-]{{0,{_LONG_WORD}}}[_./\\-]|.{{1,{_LONG_WORD}}}")


class Html(str):
    """Text that is HTML already; everything else is escaped."""


def html(content: object) -> Html:
    """Anything as HTML, escaped unless it is that already.

    >>> html("a < b"), html(Html("<b>a</b>"))
    ('a &lt; b', '<b>a</b>')
    """
    return content if isinstance(content, Html) else Html(escape(str(content), quote=False))


def join(parts: Iterable[object]) -> Html:
    """Parts one after the other, each escaped unless it is HTML."""
    return Html("".join(map(html, parts)))


def element(name: str, *parts: object, **attributes: str) -> Html:
    """An element with its content; empty attributes are left out, and `kind` becomes `class`.

    >>> element("p", "a & b", kind="faint", id="")
    '<p class="faint">a &amp; b</p>'
    """
    names = {"kind": "class"}
    written = "".join(
        f' {names.get(key, key)}="{escape(value)}"' for key, value in attributes.items() if value
    )
    return Html(f"<{name}{written}>{join(parts)}</{name}>")


def breakable(text: str) -> Html:
    """Text whose very long words, such as UIDs, may be broken at their separators, or else anywhere.

    >>> breakable("a_b long_label_of_a_landmark_<1>")
    'a_b long_<wbr>label_<wbr>of_<wbr>a_<wbr>landmark_<wbr>&lt;1&gt;'
    """
    words = re.split(rf"(\S{{{_LONG_WORD},}})", text)
    pieces = ("<wbr>".join(map(html, _PIECES.findall(word))) for word in words[1::2])
    return join(part for pair in zip_longest(words[::2], map(Html, pieces), fillvalue="") for part in pair)


def date_text(date: object) -> Html:
    """A date that is not broken, a dash where it is unknown."""
    return element("time", date) if date else Html("–")


def table(
    head: Sequence[object], rows: Iterable[Sequence[object]], numbers: Container[int] = (), kind: str = ""
) -> Html:
    """A table whose head is repeated on every printed page; the columns in `numbers` stand to the right."""

    def row(cells: Sequence[object], name: str) -> Html:
        kinds = ("number" if column in numbers else "" for column in range(len(cells)))
        cells = [breakable(cell) if type(cell) is str else cell for cell in cells]
        written = (element(name, cell, kind=kind) for cell, kind in zip(cells, kinds, strict=True))
        return element("tr", *written)

    body = (row(cells, "td") for cells in rows)
    return element("table", element("thead", row(head, "th")), element("tbody", *body), kind=kind)


def contents(parts: Iterable[Html], *first: Html) -> Html:
    """Links to the headings of parts that have an id, after those given first."""
    headings = (found for part in parts for found in re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', part))
    links = (element("a", Html(text), href=f"#{name}") for name, text in headings)
    return element("nav", *first, *links)


def page(title: str, parts: Iterable[object], style: str = "") -> str:
    """A whole page; `style` comes on top of the common style sheet."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}{_running_title(title)}{style}</style></head>'
        f"<body>{SYMBOLS}<main>{join(parts)}</main></body></html>\n"
    )


def _running_title(title: str) -> str:
    """On paper every sheet tells what it belongs to."""
    return f"@page {{ @top-left {{ content: {css_text(title)} }} }}\n"


def css_text(text: str) -> str:
    r"""A string of a style sheet, with nothing in it that ends the string or the sheet.

    >>> css_text('a "b" </style>')
    '"a \\22 b\\22  \\3c /style>"'
    """
    return '"' + "".join(f"\\{ord(sign):x} " if sign in '"\\<' or sign < " " else sign for sign in text) + '"'
