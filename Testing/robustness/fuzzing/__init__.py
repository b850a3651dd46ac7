"""Inputs that are valid, damaged or hostile, made from a seed, and judged by other programs than the one that is tested."""

from __future__ import annotations

from . import atlases, dicom, manifests, metaimage, models, nifti, nrrd_files, tables, uploads
from .case import Make

KINDS: dict[str, Make] = {
    "nifti": nifti.make,
    "nrrd": nrrd_files.make,
    "metaimage": metaimage.make,
    "dicom": dicom.make,
    "landmarks": tables.make,
    "manifest": manifests.make,
    "model": models.make,
    "atlas": atlases.make,
    "upload": uploads.make,
}
"""What makes an input of each kind."""
