"""The codes of SAMLandmark's reports: DICOM's where there are any, else its own scheme 99SAML."""

from __future__ import annotations

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept

SCHEME = "99SAML"


def _own(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value=value, scheme_designator=SCHEME, meaning=meaning)


BODY_STRUCTURE = CodedConcept(value="123037004", scheme_designator="SCT", meaning="Body structure")
LANDMARK = _own("LANDMARK", "Anatomical landmark")
STATUS = _own("STATUS", "Status of the landmark")
STATUSES = {
    "FOUND": _own("FOUND", "Found"),
    "DOUBTFUL": _own("DOUBTFUL", "Doubtful, to be checked by a reader"),
    "MISSING": _own("MISSING", "Not found in this scan"),
    "TEMPLATE": _own("TEMPLATE", "Given as template"),
}
CALIBRATED = _own("P10MM", "Calibrated probability that the error is at most 10 mm")
CYCLE_DISTANCE = _own("CYCLE", "Distance after matching there and back")


def own_scheme() -> CodingSchemeIdentificationItem:
    """What tells a reader of a report whose codes they are."""
    return CodingSchemeIdentificationItem(
        designator=SCHEME, name="SAMLandmark", responsible_organization="SAMLandmark"
    )
