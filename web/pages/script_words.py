"""The words that the pages' scripts say, by key, in the visitor's language.

Templates speak for themselves; a script that says something looks it up with ``say(key)`` of
``static/shared/translate.js``, which reads
them from the page's head. ``%(name)s`` stands for a value.
"""

from __future__ import annotations

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from model.inference import answer_text

ADVICE: dict[str, LazyString] = {
    "damaged": _l(
        "It may be cut off, damaged, or stored in a way that is not read here. Opening it in "
        "another program and saving it again often helps."
    ),
    "too-large": _l(
        "It has more pixels, slices or bytes than are read here. A smaller copy of it will do: "
        "the network sees it small in any case."
    ),
    "unsupported-format": _l(
        "Choose a picture, a DICOM file or a NIfTI volume; the formats stand at the top of the "
        "page."
    ),
}
"""What to do about a file, by the kind of its error in the API."""

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
    "cannot_tell": _l(answer_text.CANNOT_TELL),
    "not_mri": _l(answer_text.NOT_MRI),
    **{
        f"{finding}_{likelihood.replace(' ', '_')}": _l(text)
        for (finding, likelihood), text in answer_text.HEADLINES.items()
    },
    **{f"kind_{name}": _l(text) for name, text in answer_text.KINDS.items()},
    "kind": _l(answer_text.KIND),
    "unclear": _l(answer_text.UNCLEAR),
    "or": _l(answer_text.OR),
    "not_a_brain": _l(answer_text.NOT_AN_MRI),
    "undecided": _l(answer_text.UNDECIDED),
    "said": _l("%(result)s: the network says: %(verdict)s"),
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
    "place_middle_left": _l("left-hand side"),
    "place_middle": _l("middle"),
    "place_middle_right": _l("right-hand side"),
    "place_bottom_left": _l("bottom left"),
    "place_bottom": _l("bottom"),
    "place_bottom_right": _l("bottom right"),
    # the page for one's own images
    "analyse_said": _l("the network says: %(verdict)s"),
    "slice_place": _l("%(plane)s %(slice)s (0–%(last)s)"),
    "size_bytes": _l("%(size)s bytes"),
    "size_kib": _l("%(size)s KiB"),
    "size_mib": _l("%(size)s MiB"),
    "stage_waiting": _l("Waiting for its turn"),
    "stage_sending": _l("Sending, %(share)s"),
    "stage_reading": _l("Reading the image"),
    "waking_slow": _l(
        "No answer yet. This free host falls asleep when nobody visits, and takes up to a minute "
        "to wake up."
    ),
    "waking_again": _l(
        "The host is waking up or busy. The file is sent again in %(seconds)s seconds."
    ),
    "limited_again": _l(
        "This address has asked for a lot lately. The file is sent again in %(seconds)s seconds."
    ),
    "asked_again": _l("The server is busy. It is asked again in %(seconds)s seconds."),
    "too_many": _l("This address has asked for too much. Please try again in a minute."),
    "too_busy": _l("The server is busy. Please try again in a moment."),
    "not_reached": _l("The server cannot be reached."),
    "not_reached_why": _l("The connection broke off before an answer came."),
    "file_damaged": _l("This file cannot be read."),
    "file_damaged_advice": ADVICE["damaged"],
    "file_too_large": _l("This file is too large."),
    "file_too_large_advice": ADVICE["too-large"],
    "file_too_large_why": _l("A file may have at most %(mebibytes)s MiB."),
    "file_unsupported": _l("This kind of file is not supported."),
    "file_unsupported_advice": ADVICE["unsupported-format"],
    "no_answer_came": _l("The answer did not arrive."),
    "sample_failed": _l("The gallery's image did not arrive. Please try again."),
    "no_folders": _l("Folders cannot be read: choose the files in them."),
    "already_here": _l("A file that is already here was not added again."),
    "cancelled": _l("Cancelled."),
    "tally": _l("%(done)s of %(all)s answered"),
    "slice": _l("Slice %(slice)s"),
    "slice_of": _l("Slice %(slice)s of 0 to %(last)s"),
    "slice_range": _l("of 0 to %(last)s"),
    "read_slice": _l("Read slice %(slice)s"),
    "read_all": _l("Read all %(count)s slices"),
    "reading_slice": _l("Reading slice %(slice)s …"),
    "reading_all": _l("Reading the slices: %(read)s of %(count)s …"),
    "slices_read": _l("(%(read)s read)"),
    "plot_said": _l(
        "Slices by answer: %(counts)s; in %(unsure)s of %(count)s the network can't tell."
    ),
    "heat_for": _l("Where the evidence for %(class)s lies"),
}


def script_words() -> dict[str, str]:
    """Every word, translated."""
    return {key: str(text) for key, text in WORDS.items()}
