"""The benchmark of a study: the archive that it packs is one series that the service opens."""

from __future__ import annotations

import io
import zipfile

from benchmarks.service import study
from model.reading.open_scan import read_scan


def test_the_archive_is_one_series_of_readable_slices() -> None:
    with zipfile.ZipFile(io.BytesIO(study.packed_study(4, 64))) as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    assert len(contents) == 4
    for content in contents:
        pixels = read_scan(content).slices()[0].pixels()
        assert pixels.shape == (64, 64)
        assert pixels.max() > 1000
    assert len({content[-64 * 64 :] for content in contents}) == 4


def test_what_is_sent_of_each_file_is_what_the_page_sends() -> None:
    page = (study.REPORT.parents[2] / "static" / "analyse" / "study.js").read_text("utf-8")
    assert f"const HEAD = {study.HEAD};" in page
    assert "const SENT = 12 * 2 ** 20;" in page
    assert f"const ROOM = {study.ROOM};" in page
    job = (study.REPORT.parents[2] / "static" / "analyse" / "series-job.js").read_text("utf-8")
    assert f"const AT_ONCE = {study.AT_ONCE};" in job
    assert study.SENT == 12 * 2**20
