"""What uploads cost at worst: the peak of a real server's memory, and nothing on its disk."""

from __future__ import annotations

import http.client
import io
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from tests.hostile.case import encode
from tests.hostile.files import READ, REFUSED
from tests.hostile.pictures import flat, heic_of, png_of
from tests.patience import LONGEST_WAIT
from tests.scan_files import dicom, nifti
from web.api.uploads import MAX_PICTURES, MAX_UPLOAD_BYTES

LIMIT = 256  # megabytes: half of the smallest host's
ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read from /proc"
)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@cache
def large_volume() -> bytes:
    """Packed to less than half: a whole head at 1 mm, of which one bit in two is noise."""
    voxels = noise(256, 256, 250).astype(np.float32)
    stream = zlib.compressobj(1, wbits=31)
    return stream.compress(nifti(voxels)) + stream.flush()


def colour_dicom() -> bytes:
    colour = noise(1182, 1182, 3)
    return dicom(
        np.zeros((1182, 1182)), SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL",
        PlanarConfiguration=0, BitsAllocated=8, BitsStored=8, HighBit=7,
        PixelData=colour.tobytes(),
    )  # fmt: skip


def windowed_frames() -> bytes:
    frames = np.tile(noise(3, 2048, 2048).astype(np.uint16), (1, 1, 1))
    return dicom(frames, WindowCenter=100, WindowWidth=90, RescaleSlope=2, RescaleIntercept=1)


LARGEST: dict[str, Callable[[], bytes]] = {  # that are allowed
    "PNG in colour": lambda: png_of(5000, 4000, 8, 2),
    "PNG in colour and alpha": lambda: png_of(5000, 4000, 8, 6),
    "PNG in 16 bits": lambda: png_of(5000, 4000, 16, 0),
    "PNG in 16 bits, colour and alpha": lambda: png_of(5000, 4000, 16, 6),
    "PNG of noise": lambda: encode(Image.fromarray(noise(3200, 3200, 3)), "PNG"),
    "PNG of a line": lambda: png_of(65_535, 305, 8, 6),
    "GIF": lambda: flat(5000, 4000, "P", "GIF"),
    "BMP": lambda: encode(Image.fromarray(noise(3300, 3300, 3)), "BMP"),
    "JPEG": lambda: flat(10_000, 5000, "RGB", "JPEG"),
    "JPEG in CMYK": lambda: flat(10_000, 5000, "CMYK", "JPEG"),
    "JPEG, progressive": lambda: flat(4600, 4600, "RGB", "JPEG", progressive=True),
    "TIFF": lambda: flat(3162, 3162, "RGBA", "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, turned": lambda: flat(3162, 3162, "RGBA", "TIFF", compression="tiff_lzw",
                                 tiffinfo={274: 6}),
    "TIFF in float": lambda: flat(3162, 3162, "F", "TIFF", compression="tiff_adobe_deflate"),
    "WebP": lambda: flat(4096, 2160, "RGBA", "WEBP", lossless=True),
    "AVIF": lambda: flat(4096, 2160, "RGBA", "AVIF", speed=10),
    "HEIC": lambda: heic_of(5000, 4000, 3),
    "HEIC with alpha": lambda: heic_of(3162, 3162, 4),
    "JPEG 2000": lambda: encode(Image.fromarray(noise(1600, 1600, 3)), "JPEG2000"),
    "NIfTI": large_volume,
    "DICOM": windowed_frames,
    "DICOM in colour": colour_dicom,
}  # fmt: skip


class Server:
    """`tests.upload_server` in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.upload_server"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        self._port = int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _say(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def watch(self) -> None:
        self._say("watch")
        assert self._line() == "watching\n"

    def post(self, path: str, content: bytes, name: str = "scan") -> int:
        files = [FileStorage(io.BytesIO(content), name)]
        boundary, body = encode_multipart({"file": files})
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LONGEST_WAIT)
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        connection.request("POST", path, body, kind)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status

    def end(self, word: str = "end") -> dict[str, Any]:
        self._say(word)
        found: dict[str, Any] = json.loads(self._line())
        self._process.communicate(timeout=LONGEST_WAIT)
        return found


def test_a_peak_and_a_write_are_noticed() -> None:
    server = Server()
    server.watch()
    found = server.end("prove")
    assert found["written"] == [f"open {os.devnull}-not"]
    assert 50 < found["start"] < 200


@pytest.mark.slow
def test_no_upload_takes_much_memory_or_touches_the_disk() -> None:
    server = Server()
    for case in READ:  # what is imported late
        assert server.post("/api/v1/predictions?explain=true", case.make()) == 200
    server.watch()
    for name, make in LARGEST.items():
        content = make()
        assert len(content) < MAX_UPLOAD_BYTES, name
        query = "?explain=true&preview=true"
        assert server.post("/api/v1/predictions" + query, content) == 200, name
    pictures = f"{query}&slice=0-{MAX_PICTURES - 1}"
    assert server.post("/api/v1/predictions" + pictures, large_volume()) == 200
    for case in [*REFUSED, *READ]:
        content = case.make()
        for path in ("/api/v1/predictions?preview=true", "/analyse", "/api/v1/slices"):
            assert server.post(path, content, case.filename) == case.status, case.name
    found = server.end()
    assert found["written"] == []
    assert not found["tensorflow"]
    assert found["peak"] < LIMIT, found
