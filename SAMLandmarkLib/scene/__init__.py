"""MRML in and out: the only part of the library that imports Slicer, and the only one that counts in RAS."""

from .frames import local_lps_from_world_ras, world_ras_from_local_lps
from .layout import ScanViews, layout_xml, slice_node_ids
from .points import ScenePoint, read_points
from .studies import by_study_date, study_date
from .volumes import find_volume, scan_key, volume_arrays

__all__ = [
    "ScanViews",
    "ScenePoint",
    "by_study_date",
    "find_volume",
    "layout_xml",
    "local_lps_from_world_ras",
    "read_points",
    "scan_key",
    "slice_node_ids",
    "study_date",
    "volume_arrays",
    "world_ras_from_local_lps",
]
