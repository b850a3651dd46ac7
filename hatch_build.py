"""Puts what lies beside the package in a checkout, such as the model and the sample pair, into that of a wheel."""

from __future__ import annotations

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLED = ("Resources/Atlas", "Resources/Models", "Resources/SampleData", "Resources/Web")


class BundledResources(BuildHookInterface):
    """Includes the bundled folders in ordinary wheels; an editable install finds them in the checkout."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Called before a wheel is built; `version` is "standard" or "editable"."""
        if version == "standard":
            build_data["force_include"].update({folder: f"SAMLandmarkLib/{folder}" for folder in BUNDLED})
