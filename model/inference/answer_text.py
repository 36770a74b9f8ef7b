"""The words for the network's answers, in English; the pages translate them.

`N_` marks a text for the translators, who gather it; it is looked up where it is shown.
"""

from __future__ import annotations

from collections.abc import Callable

from model.inference.classifier import Prediction


def N_(text: str) -> str:  # noqa: N802 -- gettext's own name for it
    return text


TITLES = {
    "glioma": N_("Glioma"),
    "meningioma": N_("Meningioma"),
    "notumor": N_("No tumor"),
    "pituitary": N_("Pituitary tumor"),
}
NOT_AN_MRI = N_("This does not look like a brain MRI to the network, so its scores mean nothing.")
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
BETWEEN = N_("It cannot decide between %(others)s and %(last)s.")


def reason(found: Prediction, translate: Callable[[str], str] = str) -> str | None:
    """Why the network abstains, in plain words; None where it does not.

    Args:
        found: The answer.
        translate: From one of the texts above to the reader's language.
    """
    if not found.abstained:
        return None
    if found.doubt is not None:
        return translate(DOUBTS[found.doubt])
    if not found.in_distribution:
        return translate(NOT_AN_MRI)
    *others, last = (translate(TITLES[name]) for name in found.prediction_set)
    return translate(BETWEEN) % {"others": ", ".join(others), "last": last}
