"""What a slice shows bright, as far as its header tells: T1, T1 with contrast agent, T2, FLAIR...

Hospitals name their series as they like, in their own language; where the names say nothing, the
times of the sequence do. Nothing is guessed from the pixels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from model.reading.slice_header import SliceHeader

NAMES = (
    "t1c", "flair", "t2", "t1", "pd", "diffusion", "susceptibility", "angiography", "perfusion",
    "unknown",
)  # fmt: skip
"""Contrasts; `t1c` is T1 after a contrast agent."""
SOURCES = ("weighting", "description", "times", "none")
"""What tells a contrast: a field of enhanced files, the series' names, TR and TE, or nothing."""

_WEIGHTINGS = {
    "T1": "t1", "T2": "t2", "T2_STAR": "susceptibility", "PROTON_DENSITY": "pd",
    "FLUID_ATTENUATED": "flair", "DIFFUSION": "diffusion", "PERFUSION": "perfusion",
    "FLOW_ENCODED": "angiography", "TOF": "angiography",
}  # fmt: skip
_WORDS = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (  # the first that fits counts
        ("perfusion", r"perf|\b(dsc|dce|p?c?asl|r?cb[fv]|mtt|ttp)\b"),
        ("diffusion", r"dwi|diff?us|\b(dti|e?adc|trace|b ?1000|tensor)"),
        ("angiography", r"\b(tof|mra|mrv)\b|angio|veno"),
        ("susceptibility", r"\b(swi|swan|susc)|t2 ?(\*|star)|hemo"),
        ("t1", r"t1|mp ?rage|\b(f?spgr|bravo|vibe|tfe|tfl)\b"),  # also where T1 FLAIR is named
        ("flair", r"flair|dark ?fluid|\btirm\b"),
        ("t2", r"t2|\b(ciss|fiesta)\b"),
        ("pd", r"\b(pdw?|dp)\b|proton"),
    )
)
_WITH = re.compile(
    r"\b(gad\w*|gd\w*|post|postcon\w*|postgad\w*|ce|km|mdc|contrast\w*)\b"
    r"|t1 ?(w ?)?(c|ce|gd|km)\b|\+ ?[ck]|[ck]m? ?\+",
    re.IGNORECASE,
)
_WITHOUT = re.compile(
    r"\b(pre|precon\w*|non|no|sin|without|w ?o|s c|unenhanced|nativ\w*|sans|ohne|simple)\b",
    re.IGNORECASE,
)
_NO_AGENT = ("", "NO", "NONE", "N", "0", "NO CONTRAST", "SIN CONTRASTE", "WITHOUT")


@dataclass(frozen=True)
class Contrast:
    """A contrast of `NAMES`, and which of `SOURCES` tells it.

    Attributes:
        agent: Whether the header says that a contrast agent was given.
    """

    name: str
    source: str
    agent: bool


def contrast_of(header: SliceHeader) -> Contrast:
    """What the header tells of the contrast."""
    name, source = _weighted(header)
    # a protocol is often that of the whole study, with and without an agent
    text = _plain(header.description or header.protocol)
    said = header.agent.upper() not in _NO_AGENT
    with_agent = (said or bool(_WITH.search(text))) and not _WITHOUT.search(text)
    return Contrast("t1c" if name == "t1" and with_agent else name, source, with_agent)


def _weighted(header: SliceHeader) -> tuple[str, str]:
    if header.weighting in _WEIGHTINGS:
        return _WEIGHTINGS[header.weighting], "weighting"
    for text in (_plain(header.description), _plain(header.protocol)):
        for name, pattern in _WORDS:
            if pattern.search(text):
                return name, "description"
    name = _timed(header)
    return (name, "times") if name else ("unknown", "none")


def _timed(header: SliceHeader) -> str:
    """By TR, TE and TI in milliseconds; "" where they fit nothing that is told apart so."""
    repetition, echo, inversion = header.repetition, header.echo, header.inversion or 0.0
    if repetition is None or echo is None:
        return ""
    if "GR" in header.sequence and "IR" not in header.sequence and inversion == 0:
        return "t1" if repetition <= 400 and echo <= 10 else ""
    if inversion >= 1500:
        return "flair" if echo >= 60 else ""
    if echo <= 30:
        if repetition <= 1100 or 300 <= inversion <= 1300:
            return "t1"
        return "pd" if repetition >= 1800 and inversion == 0 else ""
    return "t2" if repetition >= 1800 and echo >= 60 and inversion == 0 else ""


def _plain(text: str) -> str:
    """With blanks for what divides words, so that a pattern finds them."""
    return re.sub(r"[^\w*+]+|_", " ", text)
