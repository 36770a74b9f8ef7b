"""Files that people and attackers send, made in memory: what each is, and what it must get."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.datadict import tag_for_keyword
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from model.reading.dicom.header import MAX_DEFLATED_BYTES
from model.reading.volumes.nifti import MAX_UNPACKED_BYTES
from tests.scan_files import dicom, nifti, png, white_share

PAYLOAD = b"<html><script>alert('polyglot')</script></html>"
PICTURE = white_share(3)
NOISE = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)


@dataclass(frozen=True)
class Case:
    """A file and its answer.

    Attributes:
        make: Its content.
        status: Of the answer.
        words: In the sentence that refuses it; empty for files that are read.
        filename: What it is called.
        kind: Of the problem.
    """

    name: str
    make: Callable[[], bytes]
    status: int = 200
    words: tuple[str, ...] = ()
    filename: str = "scan"

    @property
    def kind(self) -> str:
        return {413: "too-large", 415: "unsupported-format", 422: "damaged"}[self.status]


def encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


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


RAMP = np.arange(64).reshape(8, 8)


def compressed_dicom(
    frames: list[bytes], syntax: str, pixels: NDArray[Any] = RAMP, **tags: Any
) -> bytes:
    """DICOM of 8-bit frames that say to be 8 x 8, or as the tags say."""
    base = dicom(pixels, **{"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, **tags})
    dataset = pydicom.dcmread(io.BytesIO(base))
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def huge_jpeg2000() -> bytes:
    """A frame of 64 pixels whose codestream says that it has 50,000 by 50,000."""
    frame = bytearray(encode(Image.fromarray(NOISE[:8, :8]), "JPEG2000", no_jp2=True))
    struct.pack_into(">II", frame, frame.index(b"\xff\x51") + 6, 50_000, 50_000)
    return compressed_dicom([bytes(frame)], JPEG2000Lossless)


def rle_bomb() -> bytes:
    """A frame of 64 pixels that unpacks to 64 MiB."""
    head = struct.pack("<16L", 1, 64, *[0] * 14)
    return compressed_dicom([head + b"\x81\x00" * 2**19], RLELossless)


def meta_end(content: bytes) -> int:
    return 128 + 4 + 12 + int.from_bytes(content[140:144], "little")


@cache
def deflated_bomb() -> bytes:
    head = dicom(RAMP, syntax=DeflatedExplicitVRLittleEndian)
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(2**20)
    packed = b"".join(stream.compress(zeros) for _ in range(MAX_DEFLATED_BYTES // 2**20 + 1))
    return head[: meta_end(head)] + packed + stream.flush()


def dicom_element(keyword: str, kind: bytes, value: bytes) -> bytes:
    """An element of a kind with long values, or of US or UL."""
    tag = struct.pack("<2H", *divmod(tag_for_keyword(keyword) or 0, 2**16)) + kind
    if kind in (b"US", b"UL"):
        return tag + struct.pack("<H", len(value)) + value
    return tag + struct.pack("<HI", 0, len(value)) + value


def dicom_sequence(keyword: str, inner: bytes, *, is_open: bool = False) -> bytes:
    """A sequence of one item; its length, and the item's, are said unless it is open."""
    item = struct.pack("<2H", 0xFFFE, 0xE000)
    if not is_open:
        return dicom_element(keyword, b"SQ", item + struct.pack("<I", len(inner)) + inner)
    head = dicom_element(keyword, b"SQ", b"")[:-4] + b"\xff" * 4
    ends = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return head + item + b"\xff" * 4 + inner + ends


def with_elements(content: bytes, elements: bytes) -> bytes:
    """A DICOM file with further elements ahead of its own."""
    start = meta_end(content)
    return content[:start] + elements + content[start:]


@cache
def deflated_spacing() -> bytes:
    """A small file with a spacing of millions of parts."""
    head = dicom(RAMP, syntax=DeflatedExplicitVRLittleEndian)
    start = meta_end(head)
    plain = dicom_element("PixelSpacing", b"UC", b"\\" * (MAX_DEFLATED_BYTES - 10_000))
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = stream.compress(plain + zlib.decompress(head[start:], -zlib.MAX_WBITS))
    return head[:start] + packed + stream.flush()


def character_sets() -> bytes:
    """A whole picture, behind millions of names of character sets."""
    return with_elements(
        dicom(PICTURE), dicom_element("SpecificCharacterSet", b"UT", b"\\" * (16 * 2**20))
    )


def many_elements(*, nested: bool) -> bytes:
    """Two hundred thousand empty elements ahead of the pixels."""
    content = dicom(RAMP)
    start = meta_end(content)
    odd = b"".join(
        struct.pack("<HH2sH", 0x0009 + 2 * (k >> 16), k & 0xFFFF, b"LO", 0) for k in range(200_000)
    )
    if nested:  # a sequence of undefined length is read, whether it is wanted or not
        item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + odd
        ends = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
        odd = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + item + ends
    return content[:start] + odd + content[start:]


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
    Case("HEIC", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", 415, ("HEIC", "save it as JPEG")),
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
DICOMS = [
    Case("rows", lambda: dicom(RAMP, Rows=65535, Columns=65535, NumberOfFrames=2**31), 413,
         ("sides of 1 to 2,048", "2147483648 of 65535 x 65535")),
    Case("many frames", lambda: dicom(RAMP, Rows=2000, Columns=2000, NumberOfFrames=1000), 413,
         ("at most 134,217,728 pixels in all",)),
    Case("colour", lambda: dicom(RAMP, Rows=2000, Columns=2000, SamplesPerPixel=3), 413,
         ("at most 4,194,304 values", "of 3 values each")),
    Case("little data", lambda: dicom(RAMP, Rows=2000, Columns=2000), 422,
         ("damaged DICOM file",)),
    Case("no frames", lambda: dicom(RAMP, NumberOfFrames=-1), 413, ("1 to 1,024 slices",)),
    Case("no pixels", lambda: dicom(RAMP, without="PixelData"), 422,
         ("with pixel data", "such as a report")),
    Case("no rows", lambda: dicom(RAMP, without="Rows"), 413, ("sides of 1 to 2,048",)),
    Case("JPEG lossless", lambda: compressed_dicom([b"\xff\xd8"], JPEGLosslessSV1), 422,
         ("JPEG, JPEG-LS, JPEG 2000, RLE or deflate", "JPEG Lossless", "gdcmconv --raw")),
    Case("private syntax", lambda: compressed_dicom([b"1234"], "1.2.3.4.5"), 422,
         ("transfer syntax of the standard", "save it uncompressed", "1.2.3.4.5")),
    Case("JPEG bomb", lambda: compressed_dicom([flat(9000, 9000, "L", "JPEG")], JPEGBaseline8Bit),
         422, ("must have 8 x 8 pixels", "9000 x 9000")),
    Case("JPEG 2000 bomb",
         lambda: compressed_dicom([flat(3000, 3000, "L", "JPEG2000")], JPEG2000Lossless), 422,
         ("must have 8 x 8 pixels", "3000 x 3000")),
    Case("JPEG 2000 that Pillow takes for a bomb", huge_jpeg2000, 422,
         ("must have 8 x 8 pixels", "many times that")),
    Case("RLE bomb", rle_bomb, 422, ("must unpack to 64 bytes",)),
    Case("deflated bomb", deflated_bomb, 413, ("at most 32 MiB once decompressed",)),
    Case("many elements", lambda: many_elements(nested=False), 413, ("a shorter DICOM header",)),
    Case("many in a sequence", lambda: many_elements(nested=True), 413,
         ("a shorter DICOM header",)),
    Case("millions of spacings", deflated_spacing, 422, ("a value of at most 8,192 bytes",)),
    Case("cut in the header", lambda: dicom(RAMP)[:200], 422, ("DICOM",)),
]  # fmt: skip
READ_DICOMS = [
    Case("MONOCHROME1", lambda: dicom(255 - PICTURE, PhotometricInterpretation="MONOCHROME1")),
    Case("rescale", lambda: dicom(PICTURE, RescaleSlope=-2, RescaleIntercept=9,
                                  PhotometricInterpretation="MONOCHROME1")),
    Case("window", lambda: dicom(PICTURE, WindowCenter=100, WindowWidth=50)),
    Case("character sets", character_sets),
    Case("frames", lambda: dicom(np.stack([PICTURE] * 3)), filename="IM0001"),
    Case("wrong ending", lambda: dicom(PICTURE), filename="scan.png"),
]  # fmt: skip
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

REFUSED = [*PICTURES, *DICOMS, *NIFTIS]
READ = [*READ_PICTURES, *READ_DICOMS, *READ_NIFTIS]
