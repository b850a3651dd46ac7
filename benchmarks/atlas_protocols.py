"""The bundled protocols: their landmarks with terms and codes, and the marked patients that may be shipped.

Codes are SNOMED CT's (as DICOM's context groups list them) of the structure on which a landmark lies, not of the point. A
patient may be shipped where its scan is under CC BY or CC0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from SAMLandmarkLib.embedding.atlas_metadata import Code, ProtocolLandmark

Side = Literal["", "left", "right"]


@dataclass(frozen=True)
class Source:
    """Where a patient's scan comes from, and who is to be named."""

    collection: str
    licence: str
    attribution: str


@dataclass(frozen=True)
class Protocol:
    """A protocol: the set of marked scans that it is made of, and which of its patients may be shipped."""

    name: str
    title: str
    landmarks: tuple[ProtocolLandmark, ...]
    shipped: dict[str, Source]


def _point(label: str, title: str, code: tuple[str, str] | None = None, side: Side = "") -> ProtocolLandmark:
    return ProtocolLandmark(label, title, None if code is None else Code("SCT", *code), side)


def _pair(label: str, title: str, code: tuple[str, str]) -> tuple[ProtocolLandmark, ProtocolLandmark]:
    return (
        _point(f"{label}_left", f"{title}, left", code, "left"),
        _point(f"{label}_right", f"{title}, right", code, "right"),
    )


_LIDC = Source(
    "LIDC-IDRI",
    "CC BY 3.0",
    "Armato III SG, McLennan G, Bidaut L, et al. Data From LIDC-IDRI. The Cancer Imaging Archive, 2015. "
    "https://doi.org/10.7937/K9/TCIA.2015.LO9QL9SX",
)
_CMB = Source(
    "CMB-CRC",
    "CC BY 4.0",
    "Cancer Moonshot Biobank. Colorectal Cancer Collection (CMB-CRC). The Cancer Imaging Archive, 2022. "
    "https://doi.org/10.7937/DJG7-GZ87",
)
_CRLM = Source(
    "Colorectal-Liver-Metastases",
    "CC BY 4.0",
    "Simpson AL, Peoples J, Creasy JM, et al. Colorectal-Liver-Metastases. The Cancer Imaging Archive, 2023. "
    "https://doi.org/10.7937/QXK2-QG03",
)
_TCGA = Source(
    "TCGA-COAD",
    "CC BY 3.0",
    "Kirk S, Lee Y, Sadow CA, et al. Radiology Data from TCGA-COAD. The Cancer Imaging Archive, 2016. "
    "https://doi.org/10.7937/K9/TCIA.2016.HJJHBOXZ",
)
_HCC = Source(
    "HCC-TACE-Seg",
    "CC BY 4.0",
    "Moawad AW, Fuentes D, Morshid A, et al. HCC-TACE-Seg. The Cancer Imaging Archive, 2021. "
    "https://doi.org/10.7937/TCIA.5FNA-0924",
)

CHEST = Protocol(
    "chest",
    "Chest",
    (
        _point("carina", "Carina of the trachea", ("28700002", "Carina")),
        _point("right_upper_lobe_carina", "Carina of the right upper lobe bronchus", None, "right"),
        _point("left_upper_lobe_carina", "Carina of the left upper lobe bronchus", None, "left"),
        _point("aortic_arch_top", "Top of the aortic arch", ("57034009", "Aortic arch")),
        _point("jugular_notch", "Jugular notch of the sternum", ("26493002", "Suprasternal notch")),
        *_pair("clavicle_medial", "Medial end of the clavicle", ("51299004", "Clavicle")),
        *_pair("coracoid_tip", "Tip of the coracoid process", ("8931003", "Coracoid process of scapula")),
        *_pair("lung_apex", "Apex of the lung", ("86598002", "Apex of lung")),
        *_pair("scapula_inferior_angle", "Inferior angle of the scapula", ("79601000", "Scapula")),
    ),
    {"cmb-crc-01068": _CMB, "lidc-0001": _LIDC, "lidc-0314": _LIDC},
)
ABDOMEN = Protocol(
    "abdomen",
    "Abdomen",
    (
        _point("celiac_trunk_origin", "Origin of the celiac trunk", ("57850000", "Celiac axis")),
        _point(
            "sma_origin",
            "Origin of the superior mesenteric artery",
            ("42258001", "Superior mesenteric artery"),
        ),
        _point("aortic_bifurcation", "Aortic bifurcation", ("73166001", "Aortic bifurcation")),
        _point("portal_vein_bifurcation", "Bifurcation of the portal vein", ("32764006", "Portal vein")),
        _point("spleen_lower_tip", "Lower tip of the spleen", ("78961009", "Spleen")),
        *_pair("kidney_upper_pole", "Upper pole of the kidney", ("64033007", "Kidney")),
        *_pair("kidney_lower_pole", "Lower pole of the kidney", ("64033007", "Kidney")),
    ),
    {"crlm-1004": _CRLM, "crlm-1006": _CRLM, "hcc-006": _HCC, "tcga-ay-4070a": _TCGA},
)
HEAD_NECK = Protocol(
    "head-neck",
    "Head and neck (centroids of contoured organs)",
    (
        _point("brainstem", "Centroid of the brain stem", ("119238007", "Brain stem")),
        _point("larynx", "Centroid of the larynx", ("4596009", "Larynx")),
        _point("mandible", "Centroid of the mandible", ("91609006", "Mandible")),
        *_pair("parotid", "Centroid of the parotid gland", ("45289007", "Parotid gland")),
    ),
    {},
)
PROTOCOLS = (CHEST, ABDOMEN, HEAD_NECK)
