"""How DICOM and NIfTI files begin, which need no library to be told."""

from __future__ import annotations

import re

HEAD = 544
"""Bytes of a file in which these marks stand."""
GZIP = b"\x1f\x8b"

_DICOM = slice(128, 132)
_SHORT = rb"(?:AE|AS|CS|DA|DT|IS|LO|PN|SH|TM|UI|UL|US)"
_FIRST = re.compile(  # group 2 or 8, then a kind with a short value, or a length below 256
    rb"[\x02\x08]\0[\0-\x18]\0(?:" + _SHORT + rb"(?P<explicit>..)|(?P<implicit>.\0)\0\0)", re.DOTALL
)
_GROUPS = (2, 8, 16)


def is_dicom(head: bytes) -> bool:
    """Whether a file that starts so is DICOM, also one without the preamble of the standard."""
    return head[_DICOM] == b"DICM" or is_bare_dicom(head)


def is_bare_dicom(head: bytes) -> bool:
    """Whether these are DICOM elements from the first byte on, as old archives have them."""
    first = _FIRST.match(head)
    if first is None:
        return False
    length = int.from_bytes(first["explicit"] or first["implicit"], "little")
    following = head[8 + length : 12 + length]
    return (
        len(following) == 4
        and int.from_bytes(following[:2], "little") in _GROUPS
        and following > head[:4]
    )


def is_nifti(head: bytes) -> bool:
    """Whether decompressed bytes start as NIfTI-1 or NIfTI-2 does."""
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def is_mgh(head: bytes) -> bool:
    """Whether decompressed bytes start as FreeSurfer's MGH does: version 1, four sides, a kind."""
    if len(head) < 28 or head[:4] != b"\0\0\0\1":
        return False
    *sides, kind = (int.from_bytes(head[k : k + 4]) for k in range(4, 24, 4))
    return all(0 < side < 2**16 for side in sides) and kind in (0, 1, 3, 4, 10)
