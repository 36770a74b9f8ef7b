"""The public collections that the shipped network was trained on beside the dataset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Where a collection comes from.

    Attributes:
        shows: What its pictures are, in a few words.
        origin: Who published it, and where.
        licence: As published.
    """

    shows: str
    origin: str
    licence: str


_LGG = (
    "TCGA-LGG (The Cancer Imaging Archive); outlines: Buda et al. 2019",
    "CC BY 3.0; outlines CC BY-NC-SA 4.0",
)
_NICHART = ("demonstration data of NiChart", "not stated")

SOURCES = {
    "brats-stripped": Source(
        "gliomas, skull stripped", "BraTS 2021 and 2023, examples", "not stated"
    ),
    "lgg-flair": Source("low-grade gliomas and healthy slices of the same people, FLAIR", *_LGG),
    "lgg-t1c": Source("the same people after contrast, T1", *_LGG),
    "nichart-flair": Source("healthy elderly people, FLAIR", *_NICHART),
    "nichart-t1": Source("healthy elderly people, T1", *_NICHART),
    "oasis-t1": Source(
        "people of 60 to 96 years without tumor, T1, skull stripped", "OASIS-2", "not stated"
    ),
    "progression-t1c": Source(
        "glioblastomas after treatment, contrast T1",
        "Brain-Tumor-Progression, Schmainda and Prah 2018 (The Cancer Imaging Archive)",
        "CC BY 3.0",
    ),
    "web": Source(
        "tumors of unknown kind, T2, FLAIR and contrast T1",
        "Br35H (ahmedhamada0/brain-tumor-detection) and "
        "navoneel/brain-mri-images-for-brain-tumor-detection on Kaggle",
        "not stated",
    ),
}
"""By the name of the collection's folder."""

OWN = Source("", "not public", "")
"""What is said of a collection that is not among them."""
