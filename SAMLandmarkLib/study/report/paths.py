"""Where the pages of a report lie."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from ...io.target_names import folder_name

PAGE_NAME = "report.html"


def patient_page(patient: str) -> Path:
    """Where a patient's page lies in the folder of the report."""
    return Path(folder_name(patient)) / PAGE_NAME


def patient_address(patient: str) -> str:
    """The address of that page in the summary."""
    return quote(patient_page(patient).as_posix())
