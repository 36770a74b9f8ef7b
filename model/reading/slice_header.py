"""What a DICOM file says of its place in a study: series, position, sequence.

The description alone, for those who have no need of pydicom; `model.reading.dicom.place`
makes it.
"""

from __future__ import annotations

from dataclasses import dataclass

HEAD = 2**16
"""Bytes from the start of a file in which all of this lies, unless it is deflated."""


@dataclass(frozen=True)
class SliceHeader:
    """What a file says of itself; "" and None stand for what it does not say.

    Attributes:
        study, series, instance: UIDs.
        number: Of the series in its study.
        place: Of the file in its series.
        position: Of the first pixel, x, y and z in millimetres: to the left, back and head.
        orientation: Direction of a row, then of a column, in the same axes.
        agent: The contrast agent.
        weighting: What an enhanced file says of its contrast.
        sequence: "SE", "GR", "IR" and so on.
        repetition, echo, inversion: TR, TE and TI in milliseconds.
        kind: The words of the image type, such as ORIGINAL, PRIMARY.
        storage: UID of the class of its storage.
        frames, rows, columns: At least 1, or 0 where they are not said.
    """

    study: str = ""
    series: str = ""
    instance: str = ""
    number: int | None = None
    place: int | None = None
    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    description: str = ""
    protocol: str = ""
    modality: str = ""
    body_part: str = ""
    agent: str = ""
    weighting: str = ""
    sequence: tuple[str, ...] = ()
    repetition: float | None = None
    echo: float | None = None
    inversion: float | None = None
    kind: tuple[str, ...] = ()
    storage: str = ""
    frames: int = 1
    rows: int = 0
    columns: int = 0
