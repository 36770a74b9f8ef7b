"""Pictures that people and attackers send: damaged, huge, animated, or something else as well."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.service.heic import grid, heic
from tests.hostile.case import NOISE, PAYLOAD, PICTURE, Case, encode
from tests.scan_files import dicom, png


def cut(file_format: str, share: float) -> bytes:
    content = encode(Image.fromarray(NOISE), file_format)
    return content[: int(len(content) * share)]


def animation(file_format: str, frames: int, side: int = 16) -> bytes:
    pictures = [
        Image.fromarray(np.full((side, side), k * 20 % 256, np.uint8)) for k in range(frames)
    ]
    return encode(pictures[0], file_format, save_all=True, append_images=pictures[1:])


def long_gif(frames: int) -> bytes:
    """A GIF of as many frames of one pixel."""
    start = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return start + frame * frames + b";"


def png_of(width: int, height: int, depth: int, colour: int, rows: bytes | None = None) -> bytes:
    """A PNG of any size, black unless rows (each behind a filter byte) are given."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = bytes(1 + (width * channels * depth + 7) // 8)
    stream = zlib.compressobj(1)
    if rows is None:
        packed = b"".join(stream.compress(row) for _ in range(height)) + stream.flush()
    else:
        packed = stream.compress(rows) + stream.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", head), chunk(b"IDAT", packed), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@cache
def bomb_png() -> bytes:
    return png_of(50_000, 50_000, 1, 0)


def flat(width: int, height: int, mode: str, file_format: str, **options: Any) -> bytes:
    return encode(Image.new(mode, (width, height)), file_format, **options)


@cache
def heic_of(width: int, height: int, *channels: int) -> bytes:
    return heic(np.zeros((height, width, *channels), np.uint8))


@cache
def phone_photo() -> bytes:
    """30 megapixels, lying on its side: a quarter of it is white."""
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = Image.new("RGB", (6000, 5000))
    photo.paste((255, 255, 255), (0, 0, 6000, 1250))
    return encode(photo, "JPEG", quality=80, exif=exif)


def many_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    content = encode(Image.fromarray(NOISE), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * scans + content[-2:]


def tiff_page(entries: dict[int, int], following: int) -> bytes:
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    return struct.pack("<H", len(entries)) + table + struct.pack("<I", following)


def after_start(name: str, piece: bytes, count: int) -> bytes:
    """A picture with so many pieces ahead of its pixels."""
    content = encode(Image.fromarray(NOISE), name)
    place = {"JPEG": 2, "PNG": 33, "GIF": content.find(b",", 13 + 768)}[name]
    return content[:place] + piece * count + content[place:]


def comments() -> bytes:
    """A GIF with a comment of millions of pieces."""
    return after_start("GIF", b"!\xfe" + b"\1c" * 8_000_000 + b"\0", 1)


def huge_tile() -> bytes:
    """A TIFF of ten by ten pixels in one tile of 40,000 by 40,000."""
    entries = {
        256: 10, 257: 10, 258: 8, 259: 8, 262: 1, 277: 1, 322: 40_000, 323: 40_000, 324: 200,
        325: 16,
    }  # fmt: skip
    content = b"II*\0\x08\0\0\0" + tiff_page(entries, 0)
    return content.ljust(200, b"\0") + zlib.compress(bytes(1000))


def long_tiff(pages: int) -> bytes:
    """A TIFF of as many pages of one pixel, which share it."""
    entries = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: 1, 279: 1}
    size = len(tiff_page(entries, 0))
    nexts = [*(8 + size * page for page in range(1, pages)), 0]
    return b"II*\0\x08\0\0\0" + b"".join(tiff_page(entries, following) for following in nexts)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("page.html", PAYLOAD)
    return buffer.getvalue()


def gif_with_script() -> bytes:
    return encode(Image.fromarray(PICTURE), "GIF", comment=PAYLOAD) + PAYLOAD


def dicom_in_a_tiff() -> bytes:
    """DICOM whose preamble is the start of another format, with a page behind it."""
    return b"II*\0" + PAYLOAD.ljust(124, b" ") + dicom(PICTURE)[128:] + PAYLOAD


def sixteen_bit() -> NDArray[np.uint16]:
    return PICTURE.astype(np.uint16) * 257


def palette_with_alpha() -> bytes:
    image = Image.new("P", (64, 64), 0)
    image.putpalette([0, 0, 0, 255, 255, 255, 255, 255, 255])
    image.paste(1, (0, 0, 24, 64))
    image.paste(2, (40, 0, 64, 64))  # white, and transparent
    return encode(image, "PNG", transparency=bytes([255, 255, 0]))


NEW_PICTURE = "single picture"
PICTURES = [
    *[
        Case(f"truncated {name}", lambda name=name: cut(name, 0.6), 422, ("could not be decoded",))
        for name in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
    ],
    Case("bomb", bomb_png, 413, ("at most 20,000,000 pixels",)),
    Case("60 megapixels", lambda: flat(10_000, 6000, "L", "JPEG"), 413,
         ("at most 50,000,000 pixels as JPEG", "10000 x 6000")),
    Case("a long line", lambda: png_of(100_000, 1, 8, 0), 413, ("65,535 on a side",)),
    Case("large WebP", lambda: flat(4097, 2160, "RGB", "WEBP"), 413,
         ("8,847,360 pixels as WEBP",)),
    Case("large JPEG 2000", lambda: flat(2049, 2048, "L", "JPEG2000"), 413,
         ("4,194,304 pixels as JPEG2000",)),
    Case("large AVIF", lambda: flat(4097, 2160, "L", "AVIF", speed=10), 413,
         ("8,847,360 pixels as AVIF",)),
    Case("large TIFF", lambda: flat(2500, 4001, "L", "TIFF"), 413, ("10,000,000 pixels as TIFF",)),
    Case("huge tile", huge_tile, 413, ("tiles of at most 10,000,000", "40000 x 40000")),
    Case("progressive", lambda: flat(4000, 4000, "RGB", "JPEG", progressive=True, subsampling=0),
         413, ("baseline JPEG", "64 MiB", "4000 x 4000")),
    Case("many scans", lambda: many_scans(100), 422, ("at most 100 scans", "save it again")),
    Case("fill bytes", lambda: after_start("JPEG", b"\xff", 4_000_000), 422,
         ("at most 400,000 pieces", "save it again")),
    Case("EXIF pieces", lambda: after_start("JPEG", b"\xff\xe1\0\x0aExif\0\0xx", 200_000), 422,
         ("EXIF in at most 100 pieces", "200,000")),
    Case("own chunks", lambda: after_start("PNG", b"\0\0\0\0prVt\xa6\x87\x8cI", 500_000), 422,
         ("at most 400,000 pieces",)),
    Case("long comment", comments, 422, ("at most 400,000 pieces",)),
    Case("animated GIF", lambda: animation("GIF", 12), 422, (NEW_PICTURE, "GIF of 12 frames")),
    Case("animated WebP", lambda: animation("WEBP", 12), 422, (NEW_PICTURE, "WEBP of 12 frames")),
    Case("animated PNG", lambda: animation("PNG", 12), 422, (NEW_PICTURE, "PNG of 12 frames")),
    Case("long GIF", lambda: long_gif(200_000), 422, ("GIF of more than 1,000 frames",)),
    Case("long TIFF", lambda: long_tiff(1200), 422, ("more than 1,000 pages",)),
    Case("empty", lambda: b"", 422, ("must not be empty", "0 bytes")),
    Case("SVG", lambda: b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", 415,
         ("SVG; save it as PNG",), "scan.png"),
    Case("HTML", lambda: b"<!DOCTYPE html>" + PAYLOAD, 415, ("a web page",), "scan.jpg"),
    Case("zip", zipped, 415, ("zip archive; unpack it",), "scans.zip"),
    Case("PDF", lambda: b"%PDF-1.7\n", 415, ("PDF; save its picture as PNG",)),
    Case("HEIC of nothing", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", 422,
         ("could not be decoded",)),
    Case("large HEIC", lambda: heic_of(5001, 4000), 413, ("at most 20,000,000 pixels as HEIC",)),
    Case("large HEIC of tiles", lambda: grid(np.zeros((512, 512, 3), np.uint8), 20, 10, 512, 512),
         413, ("at most 40,000,000 pixels as tiles of a HEIC", "52,428,800 pixels")),
    Case("text", lambda: b"hello", 415, ("must be one of JPEG, PNG", "5 bytes of none of these"),
         "scan.dcm"),
]  # fmt: skip


READ_PICTURES = [
    Case("wrong ending", lambda: encode(Image.fromarray(PICTURE), "JPEG"), filename="head.nii.gz"),
    Case("16-bit PNG", lambda: png(sixteen_bit())),
    Case("16-bit TIFF", lambda: encode(Image.fromarray(sixteen_bit()), "TIFF")),
    Case("TIFF of pages", lambda: encode(Image.fromarray(PICTURE), "TIFF", save_all=True,
                                         append_images=[Image.fromarray(PICTURE)] * 2)),
    Case("JPEG 2000", lambda: encode(Image.fromarray(PICTURE), "JPEG2000")),
    Case("AVIF", lambda: encode(Image.fromarray(PICTURE), "AVIF")),
    Case("HEIC", lambda: heic(PICTURE)),
    Case("CMYK", lambda: encode(Image.fromarray(PICTURE).convert("CMYK"), "JPEG")),
    Case("palette with alpha", palette_with_alpha),
    Case("MPO", lambda: encode(Image.fromarray(PICTURE), "MPO", save_all=True,
                               append_images=[Image.fromarray(NOISE)])),
    Case("GIF of one frame", lambda: animation("GIF", 1)),
    Case("one pixel", lambda: png(np.full((1, 1), 7, np.uint8))),
    Case("phone photo", phone_photo),
    Case("GIF and page", gif_with_script, filename="page.html"),
    Case("PNG and zip", lambda: png(PICTURE) + zipped()),
    Case("DICOM and TIFF", dicom_in_a_tiff),
]  # fmt: skip
