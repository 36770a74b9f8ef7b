"""Any file as slices: told by its content, whatever its name.

Data contract: bytes in, a `model.reading.scan.Scan` out. Nothing is written to disk, and no name
or tag of the file is kept.
"""

from __future__ import annotations

from model.reading.errors import ImageError
from model.reading.marks import GZIP, HEAD, is_dicom, is_mgh, is_nifti
from model.reading.pictures.picture import Picture, Stack
from model.reading.pictures.tiff import has_pages
from model.reading.scan import Scan


def read_scan(content: bytes) -> Scan:
    """Reads a file by what it holds, whatever its name.

    Args:
        content: The file.

    Returns:
        The scan; slices of large files are decoded when asked for.

    Raises:
        ImageError: It is empty, of no known kind, damaged or too large.
    """
    if not content:
        raise ImageError("`file` must not be empty. Received: 0 bytes")
    # These libraries take seconds to import on a small host, and most uploads need neither.
    if is_dicom(content):
        from model.reading.dicom.file import DicomScan

        return DicomScan(content)
    if has_pages(content):
        return Stack(content)
    if has_slices(content):
        from model.reading.volumes.nifti import NiftiScan

        return NiftiScan(content)
    return Picture(content)


def has_slices(content: bytes) -> bool:
    """Whether this is a file whose slices are decoded when they are asked for: not a picture."""
    return (
        is_dicom(content)
        or has_pages(content)
        or content.startswith(GZIP)
        or is_nifti(content[:HEAD])
        or is_mgh(content[:HEAD])
    )
