"""The report of a study: what its pages say; `reporting` holds how they look."""

from .pages import ReportFiles, distance_pairs, write_study_report

__all__ = ["ReportFiles", "distance_pairs", "write_study_report"]
