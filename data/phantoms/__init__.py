"""Synthetic brain MR images with exact tumour masks; `data.phantoms.draw` says how."""

from data.phantoms.draw import (
    CONTRASTS,
    LABELS,
    Phantom,
    make_phantom,
    one_thread,
    write_phantoms,
)

__all__ = ["CONTRASTS", "LABELS", "Phantom", "make_phantom", "one_thread", "write_phantoms"]
