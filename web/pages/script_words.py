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
    # waiting for the server
    "asked_again": _l("The server is busy. It is asked again in %(seconds)s seconds."),
    "too_many": _l("This address has asked for too much. Please try again in a minute."),
    "too_busy": _l("The server is busy. Please try again in a moment."),
}
"""Of every page."""

ANALYSE_WORDS: dict[str, LazyString] = {
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
    **{f"doubt_{name.replace('-', '_')}": _l(text) for name, text in answer_text.DOUBTS.items()},
    "told_right": _l(
        "Of pictures of other collections, half of them with a tumor, it tells %(right)s in 100 "
        "right (%(images)s pictures of %(people)s people)."
    ),
    "told_right_contrast": _l(
        "Of pictures of other collections with this contrast (%(contrast)s), half of them with a "
        "tumor, it tells %(right)s in 100 right (%(images)s pictures of %(people)s people)."
    ),
    # cropping a picture
    "crop_said": _l(
        "The frame starts %(left)s from the left and %(top)s from the top; it is %(width)s wide "
        "and %(height)s high."
    ),
    "crop_name": _l("cropped"),
    # a study
    "stage_series": _l("Reading the series, %(share)s"),
    "study_sorting": _l("Sorting out the files …"),
    "study_empty": _l("There is no file in it."),
    "study_too_many": _l("These are too many files. Choose the folder of fewer series."),
    "study_damaged": _l("This archive cannot be read. Unpack it and choose its folder."),
    "study_none": _l("No series is a brain MRI as far as its header tells."),
    "study_only": _l("Opened: the only series that is a brain MRI as far as its header tells."),
    "study_best": _l("Opened: T1 after a contrast agent, which the network reads best."),
    "study_rest": _l(
        "Opened: what suits the network best of what there is. No long series is T1 after a "
        "contrast agent."
    ),
    "study_slices": _l("%(count)s slices"),
    "study_repeats": _l("%(count)s more at the same places"),
    "study_left": _l("Files that are no readable DICOM and were left out: %(count)s."),
    "study_open": _l("Read it"),
    "study_opened": _l("Opened"),
    "unfit_modality": _l("Not answered: no MRI."),
    "unfit_secondary_capture": _l("Not answered: a picture of a screen."),
    "unfit_body_part": _l("Not answered: another part of the body."),
    "unfit_localizer": _l("Not answered: a localizer."),
    "unfit_map": _l("Not answered: computed from other pictures."),
    "plane_oblique": _l("oblique"),
    "contrast_t1c": _l("T1 with contrast agent"),
    "contrast_flair": _l("FLAIR"),
    "contrast_t2": _l("T2"),
    "contrast_t1": _l("T1"),
    "contrast_pd": _l("proton density"),
    "contrast_diffusion": _l("diffusion"),
    "contrast_susceptibility": _l("susceptibility"),
    "contrast_angiography": _l("angiography"),
    "contrast_perfusion": _l("perfusion"),
    "contrast_unknown": _l("contrast not told"),
    "series_tumor": _l("Tumor seen"),
    "series_none": _l("No tumor seen"),
    "series_open": _l("Cannot tell"),
    "series_neighbors": _l("In %(count)s neighboring slices: %(first)s to %(last)s."),
    "series_needed": _l("The answer is a tumor from %(needed)s on."),
    "series_none_why": _l("In none of %(count)s slices."),
    "series_unread": _l("Slices that cannot be read: %(slices)s."),
    "series_few": _l("Only %(brain)s of %(count)s slices look like a brain MRI."),
    "heat_for": _l("Where the evidence for %(class)s lies"),
}
"""Of the page for one's own images alone."""


def script_words(*, analyse: bool = False) -> dict[str, str]:
    """Every word that a page's scripts need, translated."""
    words = WORDS | ANALYSE_WORDS if analyse else WORDS
    return {key: str(text) for key, text in words.items()}
