"""The words that the pages' scripts say, by key, in the visitor's language.

Templates speak for themselves; a script that says something looks it up with ``say(key)`` of
``static/words.js``, which reads them from the page's head. ``%(name)s`` stands for a value.
"""

from __future__ import annotations

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

WORDS: dict[str, LazyString] = {
    "copied": _l("Copied"),
    "image_failed": _l("The image did not load."),
    "not_copied": _l("Could not be copied"),
    "server_answered": _l("The server answered %(status)s."),
    "one_image": _l("1 image"),
    "images": _l("%(count)s images"),
    "link_copied": _l("The link is copied."),
    "link_by_hand": _l("Copy this address: %(url)s"),
    # the answer for a sample
    "position": _l("%(place)s of %(count)s"),
    "brain_mri": _l("Brain MRI %(id)s"),
    "right": _l("Right"),
    "wrong": _l("Wrong"),
    "unsure": _l("Can't tell"),
    "cannot_tell": _l("I can't tell"),
    "best_guess": _l("Its best guess would be %(class)s."),
    "not_a_brain": _l(
        "This does not look like a brain MRI to the network, so its scores mean nothing."
    ),
    "between": _l("It cannot decide between %(others)s and %(last)s."),
    "said": _l("%(result)s: the network says %(class)s, %(share)s."),
    "said_unsure": _l("The network can't tell. %(reason)s"),
    "true_label": _l("The label is %(class)s."),
    "not_stated": _l("not stated"),
    "none": _l("none"),
    "phantom": _l("synthetic phantom"),
    "dataset": _l("dataset, testing part"),
    "plane_axial": _l("axial"),
    "plane_coronal": _l("coronal"),
    "plane_sagittal": _l("sagittal"),
    "no_answer": _l("The answer did not arrive. %(reason)s"),
    # the viewer of a scan
    "scan_stage": _l("%(name)s. Zoom with plus and minus, then move with the arrow keys."),
    "heat_waiting": _l("Looking for the evidence …"),
    "heat_none": _l("Nothing in this image speaks for %(class)s."),
    "heat_said": _l("Evidence for %(class)s, strongest at the %(place)s of the image."),
    "place_top_left": _l("top left"),
    "place_top": _l("top"),
    "place_top_right": _l("top right"),
    "place_middle_left": _l("left"),
    "place_middle": _l("middle"),
    "place_middle_right": _l("right"),
    "place_bottom_left": _l("bottom left"),
    "place_bottom": _l("bottom"),
    "place_bottom_right": _l("bottom right"),
}


def script_words() -> dict[str, str]:
    """Every word, translated."""
    return {key: str(text) for key, text in WORDS.items()}
