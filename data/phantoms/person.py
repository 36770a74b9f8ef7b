"""What one seed decides about a head, before it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Person:
    """What one seed decides about a head, besides its random fields."""

    skull_mm: float
    scalp_mm: float
    ventricles: float
    atrophy: float
    face_mm: float
    ears: bool
    sharpness: float
    marrow: float
    fat_fade: float
    white_spots: float  # 0 for none


def draw_person(rng: np.random.Generator) -> Person:
    """A random adult; three in ten have wide ventricles and sulci, most of them white spots too."""
    old = rng.random() < 0.3
    spots = rng.random() < (0.7 if old else 0.06)
    return Person(
        skull_mm=float(rng.uniform(3.6, 6.2)),
        scalp_mm=float(rng.uniform(2.8, 6.4)),
        ventricles=float(rng.uniform(0.2, 0.55) if old else rng.uniform(-0.05, 0.22)),
        atrophy=float(rng.uniform(0.3, 1.1) if old else rng.uniform(0.0, 0.35)),
        face_mm=float(rng.normal(0.0, 3.0)),
        ears=bool(rng.random() < 0.7),
        sharpness=float(rng.uniform(1.3, 2.0)),
        marrow=float(rng.uniform(0.5, 1.6)),
        fat_fade=float(rng.uniform(0.6, 1.12)),
        white_spots=float(rng.uniform(0.3, 1.0)) if spots else 0.0,
    )
