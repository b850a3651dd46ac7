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
LESION_STATUS = _own("LESION_STATUS", "Status of the lesion")
LESION_STATUSES = {
    "PRESENT": _own("PRESENT", "Present"),
    "TOO_SMALL": _own("TOO_SMALL", "Present, too small to measure"),
    "DISAPPEARED": _own("DISAPPEARED", "Disappeared"),
    "NEW": _own("NEW", "New"),
    "MERGED": _own("MERGED", "Merged into another lesion"),
    "SPLIT": _own("SPLIT", "Part of a lesion that split"),
    "OUT_OF_VIEW": _own("OUT_OF_VIEW", "Not in the field of view"),
    "UNCERTAIN": _own("UNCERTAIN", "Uncertain, to be checked by a reader"),
}
ROLE = _own("ROLE", "Role in the response evaluation")
NEW_LESION = _own("NEW_LESION", "New lesion since the baseline")
NODE = _own("NODE", "Lymph node, of which the short axis counts")
MEASURED = _own("MEASURED", "Measured")
MEASURED_BY = {
    "HAND": _own("HAND", "By a reader"),
    "IMAGE": _own("IMAGE", "Proposed, by the image"),
    "CARRIED": _own("CARRIED", "Proposed, carried from an earlier scan"),
}
SUM_OF_DIAMETERS = _own("SUM", "Sum of the diameters of the target lesions")
PROPOSED_RESPONSE = _own("RESPONSE", "Proposed overall response, RECIST 1.1")
RESPONSES = {
    name: _own(name, f"{name.replace('NON_CR_NON_PD', 'Non-CR/non-PD')}, proposed")
    for name in ("CR", "PR", "SD", "NON_CR_NON_PD", "PD", "NE")
}
CYCLE_DISTANCE = _own("CYCLE", "Distance after matching there and back")


def calibrated(error_limit_mm: float) -> CodedConcept:
    """The method of a confidence that speaks of this error."""
    limit = f"{error_limit_mm:g}"
    return _own(
        f"P{limit.replace('.', '_')}MM", f"Calibrated probability that the error is at most {limit} mm"
    )


def own_scheme() -> CodingSchemeIdentificationItem:
    """What tells a reader of a report whose codes they are."""
    return CodingSchemeIdentificationItem(
        designator=SCHEME, name="SAMLandmark", responsible_organization="SAMLandmark"
    )
