"""Draws the extension's pictures anew: the icon from its SVG, the thumbnail of the sample data from the scans.

python Testing/extension/render_icons.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPen
from PySide6.QtSvg import QSvgRenderer

REPOSITORY = Path(__file__).parents[2]
ICONS = REPOSITORY / "SAMLandmark" / "Resources" / "Icons"
ICON_SIZE = 128
THUMBNAIL_SIZE = (260, 280)
SHOWN_LANDMARK = "left_kidney_upper_pole"
WINDOW_HU = (-160, 240)


def icon(size: int = ICON_SIZE) -> QImage:
    """The icon, `size` pixels wide and high, transparent around its round corners."""
    image = QImage(size, size, QImage.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    QSvgRenderer(str(ICONS / "SAMLandmark.svg")).render(painter)
    painter.end()
    return image


def thumbnail() -> QImage:
    """Coronal slices of the sample pair, the template above, through the same landmark with a crosshair each."""
    image = QImage(*THUMBNAIL_SIZE, QImage.Format_RGB32)
    image.fill(QColor("black"))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.Antialiasing)
    half = THUMBNAIL_SIZE[1] / 2
    for row, (name, color) in enumerate((("template", "#ffb52e"), ("followup", "#6cf05a"))):
        _draw_scan(painter, QRectF(0, row * half + row, THUMBNAIL_SIZE[0], half - 1), name, QColor(color))
    painter.end()
    return image


def _draw_scan(painter: QPainter, place: QRectF, name: str, color: QColor) -> None:
    sys.path.insert(0, str(REPOSITORY))
    from SAMLandmarkLib import LandmarkSet, Volume

    folder = REPOSITORY / "Resources" / "SampleData"
    volume = Volume.read(folder / f"{name}.nii.gz")
    landmarks = LandmarkSet.read(folder / f"{name}.csv", csv_frame="LPS")
    i, j, k = volume.index_from_lps(landmarks[landmarks.labels.index(SHOWN_LANDMARK)].position_lps)
    # The sample's axes run to L, P and S: rows turn around so that the head is up.
    low, high = WINDOW_HU
    gray = np.clip((volume.array[::-1, round(j)] - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    height, width = gray.shape
    # As wide as the place, cut above and below around the landmark.
    shown = width * place.height() / place.width()
    top = min(max(height - 1 - k - shown / 2, 0), height - shown)
    source = QImage(gray.tobytes(), width, height, width, QImage.Format_Grayscale8)
    painter.setRenderHint(QPainter.SmoothPixmapTransform)
    painter.drawImage(place, source, QRectF(0, top, width, shown))
    scale = place.width() / width
    _draw_crosshair(painter, place.topLeft() + QPointF(i, height - 1 - k - top) * scale, color)


def _draw_crosshair(painter: QPainter, center: QPointF, color: QColor) -> None:
    for pen in (QPen(QColor("black"), 6), QPen(color, 3)):
        painter.setPen(pen)
        for arm in (QPointF(14, 0), QPointF(0, 14)):
            painter.drawLine(center - arm, center + arm)


if __name__ == "__main__":
    application = QGuiApplication(["", "-platform", "offscreen"])
    for path in (REPOSITORY / "SAMLandmark.png", ICONS / "SAMLandmark.png"):
        icon().save(str(path))
    thumbnail().save(str(ICONS / "SAMLandmarkPair.png"))
