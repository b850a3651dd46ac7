"""`slicer.i18n`: every visible string passes here."""

from __future__ import annotations


def tr(text: str, context: str | None = None) -> str:
    """The text in the chosen language."""
    return translate(context, text)


def translate(context: str | None, text: str) -> str:
    """The text in the chosen language, for texts of another context."""
    return text
