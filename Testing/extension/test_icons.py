"""The extension's pictures: size, transparency, and that they are what their sources draw."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

ICON = "SAMLandmark/Resources/Icons/SAMLandmark.png"


@pytest.fixture(scope="module")
def render_icons(repository: Path) -> ModuleType:
    """The script that draws them."""
    spec = spec_from_file_location("render_icons", repository / "Testing" / "extension" / "render_icons.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGBA"), dtype=float)


@pytest.mark.parametrize("name", ["SAMLandmark.png", ICON])
def test_icon_has_the_size_that_the_extensions_manager_asks_for(name: str, repository: Path) -> None:
    with Image.open(repository / name) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (128, 128), "RGBA")
        assert image.getpixel((0, 0))[3] == 0


def test_extension_and_module_show_the_same_icon(repository: Path) -> None:
    assert (repository / "SAMLandmark.png").read_bytes() == (repository / ICON).read_bytes()


def test_icon_is_what_its_source_draws(render_icons: ModuleType, repository: Path, tmp_path: Path) -> None:
    render_icons.icon().save(str(tmp_path / "icon.png"))
    difference = np.abs(_pixels(tmp_path / "icon.png") - _pixels(repository / ICON))
    assert difference.mean() < 1.0


def test_both_points_keep_their_color_in_a_small_icon(render_icons: ModuleType, tmp_path: Path) -> None:
    """Slicer's list of modules shows it with 20 pixels."""
    render_icons.icon(20).save(str(tmp_path / "small.png"))
    red, green, blue, _ = np.moveaxis(_pixels(tmp_path / "small.png"), -1, 0)
    orange = (red > 170) & (red > blue + 90)
    bright_green = (green > 140) & (green > red + 40) & (green > blue + 40)
    assert orange.sum() >= 6
    assert bright_green.sum() >= 8


def test_thumbnail_has_the_size_that_the_sample_data_module_shows(repository: Path) -> None:
    with Image.open(repository / "SAMLandmark" / "Resources" / "Icons" / "SAMLandmarkPair.png") as image:
        assert image.size == (260, 280)
        assert np.asarray(image.convert("L")).std() > 40
