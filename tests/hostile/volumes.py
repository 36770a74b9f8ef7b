"""NIfTI volumes that people and attackers send: bombs, headers that lie, odd values."""

from __future__ import annotations

import gzip
import struct
import zlib
from functools import cache

import numpy as np

from model.reading.volumes.nifti import MAX_UNPACKED_BYTES
from tests.hostile.case import PICTURE, Case
from tests.scan_files import nifti

VOXELS = np.stack([np.flip(PICTURE.T, (0, 1))] * 6, axis=2).astype(np.int16)


def header(place: int, *values: int | float, form: str = "h") -> bytes:
    """A NIfTI-1 volume with other values in its header."""
    content = bytearray(nifti(VOXELS))
    raw = struct.pack(f"<{len(values)}{form}", *values)
    content[place : place + len(raw)] = raw
    return bytes(content)


def with_value(value: float) -> bytes:
    voxels = VOXELS.astype(np.float32)
    voxels[1, 1] = value
    return nifti(voxels)


@cache
def nifti_bomb() -> bytes:
    """A small volume with a quarter of a gigabyte of zeros behind it."""
    stream = zlib.compressobj(1, wbits=31)
    packed = stream.compress(nifti(VOXELS))
    zeros = bytes(2**20)
    packed += b"".join(stream.compress(zeros) for _ in range(MAX_UNPACKED_BYTES // 2**20))
    return packed + stream.flush()


def wide_range() -> bytes:
    voxels = np.where(VOXELS > 0, np.float32(3e38), np.float32(-3e38))
    return nifti(voxels)


NIFTIS = [
    Case("nothing but NaN", lambda: nifti(np.full((8, 8, 8), np.nan, np.float32)), 422,
         ("finite", "Received: NaN or infinite")),
    Case("bomb", nifti_bomb, 413, ("at most 256 MiB once decompressed",), "head.nii.gz"),
    Case("large volume", lambda: header(40, 3, 500, 500, 200), 413,
         ("volumes of at most 64 MiB", "16 bits")),
    Case("sizeof_hdr", lambda: header(0, 999, form="i"), 422, ("must say that it has 348 bytes",)),
    Case("dim[0] = 8", lambda: header(40, 8), 422, ("damaged NIfTI", "NIfTI")),
    Case("dim[0] = 7", lambda: header(40, 7, 4, 4, 4, 1, 1, 2, 2), 422, ("two to four dim",)),
    Case("negative", lambda: header(40, 3, 64, -64, 6), 413, ("sides of 1 to 2,048", "-64")),
    Case("no volume", lambda: header(40, 4, 64, 64, 6, 0), 422, ("one volume or more",)),
    Case("vox_offset", lambda: header(108, 1e8, form="f"), 422,
         ("truncated NIfTI", "header of 100,000,000")),
    Case("short", lambda: nifti(VOXELS)[:-1], 422, ("truncated NIfTI", "voxels of 49,152")),
    Case("complex", lambda: nifti(VOXELS.astype(np.complex64)), 422, ("real numbers",)),
    Case("pair", lambda: header(344, *b"ni1\0", form="B"), 422, ("pair, without its voxels",)),
    Case("truncated gzip", lambda: gzip.compress(nifti(VOXELS))[:-12], 422, ("damaged gzip",)),
    Case("tar.gz", lambda: gzip.compress(b"page.html".ljust(600, b"\0")), 415,
         ("a gzip archive of something else", "unpack it")),
]  # fmt: skip


READ_NIFTIS = [
    Case("two dimensions", lambda: nifti(VOXELS[:, :, 0])),
    Case("three dimensions", lambda: nifti(VOXELS, packed=True), filename="head.nii.gz"),
    Case("four dimensions", lambda: nifti(np.stack([VOXELS, 1 - VOXELS], axis=3))),
    Case("NaN", lambda: with_value(np.nan)),
    Case("infinite", lambda: with_value(-np.inf)),
    Case("wide range", wide_range),
    Case("wrong ending", lambda: nifti(VOXELS), filename="scan.dcm"),
]
