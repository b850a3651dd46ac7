"""Scans that the page takes, and what it says of files that are none."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from page_server import PageServer
from toy_series import CT_IMAGE, ROOT_UID, write_dicom
from visitor import FOLLOW_UP, TEMPLATE, Visitor, count_color

from SAMLandmarkLib.scene.follow_up import SETTLED_COLOR, WAITING_COLOR

LABELS = ("transverse_process_tip_l1_left", "celiac_aorta_inferior_crotch", "spinous_tip_t12")


@pytest.fixture(scope="module")
def server(serve_pair) -> Iterator[PageServer]:
    """A page of this module's own, since the scans that are sent stay there."""
    with serve_pair() as started:
        yield started


@pytest.fixture(scope="module")
def visitor(sit_down, server) -> Iterator[Visitor]:
    with sit_down(server) as person:
        yield person


def _send(visitor: Visitor, path: Path, role: str = "follow-up") -> None:
    visitor.page.set_input_files(f"#upload-{role}", path)


@pytest.fixture
def write_dicom_zip(tmp_path, sample_followup) -> Callable[..., Path]:
    """A function that writes a piece of the follow-up as a DICOM series of 31 May 2024 into a .zip."""

    def write(name: str = "june.zip", folder: str = "DICOM/series 1/") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for k in range(40):
                slice_path = tmp_path / f"{k}.dcm"
                _write_slice(slice_path, sample_followup, k)
                archive.write(slice_path, f"{folder}{k}.dcm")
        return path

    return write


def _write_slice(path: Path, volume, k: int) -> None:
    image = sitk.GetImageFromArray(volume.array[40 + k, 80:180, 80:180][None])
    image.SetOrigin(volume.lps_from_index([80, 80, 40 + k]).tolist())
    image.SetSpacing(volume.spacing_mm.tolist())
    tags = {
        "0008|0016": CT_IMAGE,
        "0008|0018": f"{ROOT_UID}.1.{k + 1}",
        "0008|0020": "20240531",
        "0008|0060": "CT",
        "0020|000d": f"{ROOT_UID}.99",
        "0020|000e": f"{ROOT_UID}.1",
        "0020|0013": str(k + 1),
        "0028|1052": "-1024",
        "0028|1053": "1",
    }
    write_dicom(image, tags, path)


def test_a_zipped_dicom_series_becomes_a_follow_up_with_its_date(visitor, write_dicom_zip):
    _send(visitor, write_dicom_zip())
    visitor.wait("get('table').columns.length === 2")
    # scans with a date come first
    assert [column["title"] for column in visitor.state("table")["columns"]] == ["2024-05-31", "may"]
    visitor.wait("get('status').busy === false")
    visitor.wait("get('table').rows.every(row => row.cells.every(cell => cell.status))")
    visitor.page.wait_for_selector("#SAMLandmark2Axial img")


BAD_FILES = {
    "letter.nii.gz": (b"Dear colleague, ", "letter.nii.gz is cut short, damaged or not gzipped"),
    "letter.nrrd": (b"Dear colleague, ", "letter.nrrd can't be read as NRRD"),
    "letter.zip": (b"Dear colleague, ", "letter.zip is no readable .zip"),
    "letter.pdf": (b"%PDF-1.4", "letter.pdf is not a scan that the page can open"),
    "../../etc/letter.nii": (b"", "letter.nii is empty"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_scan_is_explained_and_the_page_lives_on(visitor, server, name):
    content, message = BAD_FILES[name]
    columns = visitor.state("table")["columns"]
    visitor.page.set_input_files(
        "#upload-follow-up", {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )
    visitor.wait(f"get('message').includes({json.dumps(message)})")
    assert str(server.folder) not in visitor.state("message")
    assert visitor.state("table")["columns"] == columns
    visitor.choose(LABELS[0], column=-1)
    visitor.press("a")
    visitor.wait_for_decision(LABELS[0], "ACCEPTED")
    visitor.press("Control+z")
    visitor.wait_for_decision(LABELS[0], "OPEN")


def test_a_file_over_the_limit_is_refused(visitor, tmp_path):
    path = tmp_path / "large.nii"
    np.zeros(21 * 2**20, np.uint8).tofile(path)
    _send(visitor, path)
    visitor.wait("get('message').includes('large.nii is larger than 20 MB')")


def test_the_server_refuses_a_file_over_the_limit_whatever_the_page_thinks(visitor):
    answer = visitor.page.evaluate(
        """async () => {
          const headers = { "X-SAMLandmark": "1" };
          const body = new Blob([new Uint8Array(21 * 2 ** 20)]);
          const request = fetch("upload/follow-up?name=large.nii", { method: "POST", headers, body });
          return request.then((answer) => answer.status, () => "closed");
        }"""
    )
    assert answer in (422, "closed")


def test_a_request_that_another_site_could_make_is_refused(visitor):
    answer = visitor.page.evaluate(
        "async () => (await fetch('upload/follow-up?name=a.nii', { method: 'POST', body: 'x' })).status"
    )
    assert answer == 400


def test_uploads_are_gone_when_they_were_read(visitor, server):
    assert not list(server.folder.rglob("upload-*"))


def test_another_template_takes_the_place_of_the_first_with_its_points_and_results(visitor, files, tmp_path):
    image = sitk.ReadImage(str(files["april"]))
    # far from where the views look now
    image.SetOrigin([image.GetOrigin()[0], image.GetOrigin()[1], 500.0])
    sitk.WriteImage(image, str(tmp_path / "other.nii.gz"))
    visitor.choose(LABELS[0], column=-1)
    _send(visitor, tmp_path / "other.nii.gz", "template")
    visitor.page.wait_for_selector(".sl-views .sl-name:text-is('other')")
    visitor.wait("get('table').rows.length === 0")
    middle = 500 + image.GetSpacing()[2] * (image.GetSize()[2] - 1) / 2
    visitor.wait(f"Math.abs(parseFloat(get('offsets').{TEMPLATE}.slice(2)) - {middle}) < 3")
    visitor.wait_for_picture(TEMPLATE, lambda picture: picture.std() > 20)
    for view in (TEMPLATE, FOLLOW_UP, "SAMLandmark2Axial"):
        visitor.wait_for_picture(view, lambda picture: _point_pixels(picture) == 0)


def _point_pixels(picture: np.ndarray) -> int:
    """Pixels in the colors of points: the template's own are red."""
    return sum(count_color(picture, color) for color in (SETTLED_COLOR, WAITING_COLOR, (1.0, 0.5, 0.5)))
