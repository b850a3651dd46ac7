"""Results as DICOM structured reports: one about each target that was read from DICOM."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ... import __version__
from ...core.results import TransferResult
from ...utils.errors import OutputError, SAMLandmarkError, UsageError
from ...utils.files import create_folder, write_atomically
from ..dicom_header import pydicom_or_error
from ..dicom_series import slices_of_folder
from .writer import ResultSet, Scope

if TYPE_CHECKING:
    from highdicom.sr import MeasurementReport

    from .sr_content import ScanFindings
    from .sr_source import SourceSeries

REPORT_SUFFIX = ".sr.dcm"
_SERIES_NUMBER = 9901
_SERIES_DESCRIPTION = "SAMLandmark landmarks"


class DicomReport:
    """`TARGET.sr.dcm`: Comprehensive 3D SR, template TID 1500, beside the images of the target."""

    name = "dicom-sr"
    suffix = REPORT_SUFFIX
    scope = Scope.TARGET

    def write(self, results: ResultSet, path: Path) -> None:
        """Write the report about one target. Raises OutputError also where the target was not read from DICOM.

        Raises UsageError where pydicom or highdicom is not installed.
        """
        require_libraries()
        from .sr_source import SourceSeries

        (result,) = results.results
        folder = Path(result.provenance.get("sources", {}).get("target") or "")
        try:
            if not result.provenance.get("sources", {}).get("target") or not folder.is_dir():
                raise OutputError("it was not read from DICOM")
            slices = slices_of_folder(folder, results.settings.get("series", ()))
            write_report(path, _findings(result), SourceSeries.of_files([file.path for file in slices]))
        except SAMLandmarkError as error:
            raise OutputError(f"No DICOM report about {result.target}: {error}.") from error


def require_libraries() -> None:
    """Raise UsageError where pydicom or highdicom is not installed."""
    pydicom_or_error()
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "DICOM reports need highdicom, which is not installed; install it with `pip install samlandmark[dicom]`."
        ) from error


def algorithm_version(product_version: str, model_version: str) -> str:
    """How a report tells what found its landmarks."""
    return f"{product_version}, model {model_version}"


def write_report(path: Path, findings: ScanFindings, source: SourceSeries) -> None:
    """Write a report about the scan whose images are given. Raises OutputError, with the reason alone."""
    from .sr_content import measurement_report

    texts = [f"{item.label}{item.reason}" for item in findings.items]
    write_content(path, partial(measurement_report, findings), texts, source)


def write_content(
    path: Path,
    content_in: Callable[[str], MeasurementReport],
    texts: Sequence[str],
    source: SourceSeries,
    description: str = _SERIES_DESCRIPTION,
) -> None:
    """Write a report whose content is made for a frame of reference, and holds these `texts` of people.

    Raises OutputError, with the reason alone.
    """
    from .sr_source import UTF_8

    # any character set can hold texts in ASCII; labels may be in any language
    plain = all(text.isascii() for text in texts)
    try:
        if any("\0" in text for text in texts):
            # DICOM fills up texts with it, so that it would be gone without a word.
            raise ValueError("a text holds the sign NUL")
        content = content_in(source.frame_of_reference_uid)
        data = _encoded(content, source, source.character_set if plain else UTF_8, description)
    except (AttributeError, TypeError, ValueError) as error:
        raise OutputError(f"its images or labels can't be put into a report: {error}") from error
    create_folder(path.parent)
    write_atomically(path, data)


def _findings(result: TransferResult) -> ScanFindings:
    from .sr_content import ScanFindings, uid_from_name

    model, settings = result.provenance.get("model", {}), result.provenance.get("settings", {})
    version = algorithm_version(__version__, model.get("version", "unknown"))
    parameters = (
        f"model sha256 {model.get('sha256', 'unknown')}",
        f"profile {settings.get('profile', 'unknown')}",
    )
    # only a study knows what belongs to one patient, so the UIDs of one result have nothing to do with others
    return ScanFindings(result.items, partial(uid_from_name, uuid.uuid4()), version, parameters)


def _encoded(content: MeasurementReport, source: SourceSeries, character_set: str, description: str) -> bytes:
    """The bytes of a DICOM file with its content, about the patient and study of its source."""
    from highdicom.sr import Comprehensive3DSR
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    from .sr_codes import own_scheme
    from .sr_content import MANUFACTURER, PRODUCT

    document = Comprehensive3DSR(
        evidence=source.images,
        content=content[0],
        # New ones each time: a UID must never stand for two different reports.
        series_instance_uid=generate_uid(prefix=None),
        sop_instance_uid=generate_uid(prefix=None),
        series_number=_SERIES_NUMBER,
        instance_number=1,
        series_description=description,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=PRODUCT,
        software_versions=__version__,
        device_serial_number=__version__,
        coding_schemes=[own_scheme()],
        is_complete=True,
        specific_character_set=character_set,
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    file = io.BytesIO()
    document.save_as(file, enforce_file_format=True)
    return file.getvalue()
