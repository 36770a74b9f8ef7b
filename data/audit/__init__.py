"""Copies and mirrored copies within and across the splits, and the split manifest made of them.

`data.audit.copies` finds pairs and groups of copies. Nothing here imports Keras.
"""

from data.audit.copies import COPY_THRESHOLD, CopyPairs, connected_groups, copy_groups, find_copies
from data.audit.similarity import TRANSFORMS, signatures

__all__ = [
    "COPY_THRESHOLD",
    "TRANSFORMS",
    "CopyPairs",
    "connected_groups",
    "copy_groups",
    "find_copies",
    "signatures",
]
