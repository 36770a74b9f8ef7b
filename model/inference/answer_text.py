"""The words for the network's answers, in English; the pages translate them.

`N_` marks a text for the translators, who gather it; it is looked up where it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from model.inference.prediction import Prediction


def N_(text: str) -> str:  # noqa: N802 -- gettext's own name for it
    return text


TITLES = {
    "glioma": N_("Glioma"),
    "meningioma": N_("Meningioma"),
    "notumor": N_("No tumor"),
    "pituitary": N_("Pituitary tumor"),
}
KINDS = {
    "glioma": N_("glioma"),
    "meningioma": N_("meningioma"),
    "pituitary": N_("pituitary tumor"),
}
HEADLINES = {
    ("tumor", "very likely"): N_("Tumor: very likely"),
    ("tumor", "likely"): N_("Tumor: likely"),
    ("notumor", "very likely"): N_("No tumor seen"),
    ("notumor", "likely"): N_("Probably no tumor"),
}
"""What an answer comes to, by finding and likelihood."""
CANNOT_TELL = N_("Cannot tell")
NOT_MRI = N_("Not a brain MRI")
KIND = N_("Kind: %(kind)s.")
UNCLEAR = N_("More likely %(first)s than %(others)s.")
OR = N_("%(left)s or %(right)s")
NOT_AN_MRI = N_("This does not look like a brain MRI to the network, so its scores mean nothing.")
UNDECIDED = N_("It cannot tell whether there is a tumor; if there is one, %(kind)s is most likely.")
DOUBTS = {  # what a file says of itself, or how its picture is framed
    "modality": N_("The file says that it is no MRI, so the scores mean nothing."),
    "secondary-capture": N_(
        "The file says that it is a picture of a screen or a page, so the scores mean nothing."
    ),
    "body-part": N_("The file says that it shows no head, so the scores mean nothing."),
    "localizer": N_("The file says that it is a localizer, so the scores mean nothing."),
    "map": N_(
        "The file says that it was computed from other pictures, so the scores mean nothing."
    ),
    "shape": N_(
        "The picture is far from square, as one of several panels is, so the scores mean nothing. "
        "Crop it to one head."
    ),
    "panels": N_(
        "The picture seems to show two heads, so the scores mean nothing. Crop it to one head."
    ),
}


def headline(found: Prediction, translate: Callable[[str], str] = str) -> str:
    """The answer in a few words: "Tumor: very likely", "No tumor seen", "Cannot tell"...

    Args:
        found: The answer.
        translate: From one of the texts above to the reader's language.
    """
    if not found.in_distribution:
        return translate(NOT_MRI)
    if found.finding is None or found.likelihood is None:
        return translate(CANNOT_TELL)
    return translate(HEADLINES[found.finding, found.likelihood])


def detail(found: Prediction, translate: Callable[[str], str] = str) -> str:
    """The kind of a tumor that was found, clear or not; "" without one. Arguments as `headline`."""
    if found.finding != "tumor":
        return ""
    first, *others = (translate(KINDS[name]) for name in found.prediction_set)
    if not others:
        return translate(KIND) % {"kind": first}
    rest = reduce(lambda left, right: translate(OR) % {"left": left, "right": right}, others)
    return translate(UNCLEAR) % {"first": first, "others": rest}


def reason(found: Prediction, translate: Callable[[str], str] = str) -> str | None:
    """Why the network abstains; None where it does not. Arguments as `headline`."""
    if not found.abstained:
        return None
    if found.doubt is not None:
        return translate(DOUBTS[found.doubt])
    if not found.in_distribution:
        return translate(NOT_AN_MRI)
    likeliest = next(name for name in found.prediction_set if name in KINDS)
    return translate(UNDECIDED) % {"kind": translate(KINDS[likeliest])}


def verdict(found: Prediction, translate: Callable[[str], str] = str) -> str:
    """Headline and detail: "Tumor: very likely. Kind: glioma." Arguments as `headline`."""
    return f"{headline(found, translate)}. {detail(found, translate)}".strip()
