"""The page Model: the model card, every figure read from the committed reports.

The form follows Mitchell et al. 2019, "Model cards for model reporting", with a "Model facts" box
before it. Figures: the modules beside this one; drawings: web/model_card/charts.py; words:
templates/model.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, current_app, render_template
from flask_babel import LazyString, format_decimal
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from model.config import CLASS_NAMES
from web.model_card import network, results, shortcuts, trust
from web.model_card.figures import INTERVAL
from web.model_card.reports import MissingFigureError, Reports
from web.service.state import State, current_state

blueprint = Blueprint("model_card", __name__)

Builder = Callable[[Reports], Mapping[str, Any]]
SECTIONS: tuple[tuple[str, LazyString, Builder], ...] = (
    ("facts", _l("Model facts"), network.facts),
    ("use", _l("What it is for, and what not"), network.use),
    ("data", _l("Data, and its leak"), network.data),
    ("network", _l("The network"), network.network),
    ("training", _l("Training"), network.training),
    ("others", _l("How good it is on other collections"), results.others),
    ("results", _l("How good it is on this dataset"), results.results),
    ("confusion", _l("What it confuses"), results.confusion),
    ("calibration", _l("Can its percentages be believed?"), trust.calibration),
    ("abstaining", _l("When it does not answer"), trust.abstaining),
    ("looking", _l("Does it look at the tumor?"), shortcuts.shown),
    ("corruptions", _l("When images get worse"), shortcuts.corruptions),
    ("limits", _l("Limits"), network.limits),
    ("licence", _l("Licence and citation"), network.licence),
)
"""Sections in their order: id, title, and what makes their figures."""

SET_NAMES: dict[str, LazyString] = {
    "test_unseen": _l("Test images without a copy in Training"),
    "test": _l("Official test images"),
    "test_with_copy_in_training": _l("Test images with a copy in Training"),
    "validation": _l("Validation images, held out of training"),
    "phantoms": _l("Phantoms drawn for the evaluation"),
    "gallery": _l("The embedded gallery's phantoms"),
}
LEAKED = ("test", "test_with_copy_in_training")
KINDS: dict[str, LazyString] = {
    "chart": _l("Charts"),
    "drawing": _l("Drawings and maps"),
    "medical": _l("X-ray, CT and ultrasound"),
    "noise": _l("Noise"),
    "other organ": _l("Other organs"),
    "pattern": _l("Patterns"),
    "photograph": _l("Photographs"),
    "screenshot": _l("Screenshots"),
    "text": _l("Pages of text"),
    "upside-down": _l("upside down"),
    "quarter turn": _l("turned by a quarter"),
    "inverted": _l("black and white exchanged"),
}
CORRUPTIONS: dict[str, LazyString] = {
    "noise": _l("Noise"),
    "blur": _l("Blur"),
    "jpeg": _l("JPEG compression"),
    "contrast": _l("Less contrast"),
    "gamma": _l("Gamma"),
    "bias_field": _l("Uneven brightness"),
    "rotation": _l("Rotation"),
    "shift": _l("Shift"),
    "crop": _l("Crop"),
    "downsampling": _l("Fewer pixels"),
}
DATASET = """@misc{nickparvar2021brain,
  author    = {Nickparvar, Masoud},
  title     = {Brain Tumor MRI Dataset},
  publisher = {Kaggle},
  year      = {2021},
  doi       = {10.34740/KAGGLE/DSV/2645886},
  url       = {https://www.kaggle.com/datasets/masoudnickparvar/brain-tumor-mri-dataset}
}"""
OUTLINES = """@misc{cheng2017brain,
  author    = {Cheng, Jun},
  title     = {brain tumor dataset},
  publisher = {figshare},
  year      = {2017},
  doi       = {10.6084/m9.figshare.1512427.v5}
}"""
CITATIONS = (
    (_l("The dataset, published as CC0"), DATASET),
    (_l("The tumor outlines used in training, published as CC BY 4.0"), OUTLINES),
)
NEAR_CASE = re.compile(r"middle (\d+)% of each side")


@dataclass(frozen=True)
class Section:
    """One section: its figures, or None and the file and place of the first one missing."""

    id: str
    title: LazyString
    figures: Mapping[str, Any] | None
    missing: str = ""


@dataclass(frozen=True)
class Card:
    """The card as made at start-up.

    Attributes:
        sections: By id, in the order of the page.
        sha256: Of the served file that was evaluated, None where no report says.
        stale: Reports that were measured on another network than the card's.
    """

    sections: Mapping[str, Section]
    sha256: str | None
    stale: tuple[str, ...]


def make_card(reports: Reports) -> Card:
    sections = {id_: _section(id_, title, build, reports) for id_, title, build in SECTIONS}
    return Card(sections, *_networks(reports))


def attach(app: Flask, card: Card) -> None:
    app.extensions["model_card"] = card


@blueprint.get("/model")
def page() -> str:
    """The model card."""
    state = current_state()
    card = current_app.extensions["model_card"]
    assert isinstance(card, Card)
    page = render_template(
        "model.html",
        card=card,
        other_model=card.sha256 not in (None, state.predictions.classifier.sha256),
        gallery_confusion=gallery_confusion(state),
        level=INTERVAL,
        set_names=SET_NAMES,
        leaked=LEAKED,
        corruption_names=CORRUPTIONS,
        citations=CITATIONS,
    )
    return re.sub(r"\n\s+", "\n", page)  # without indent: the page has neither code nor verse


@blueprint.app_template_global()
def told_right() -> Mapping[str, Any]:
    """How many pictures of other collections in a hundred are told right, by contrast; "" is any.

    Empty where no report says so of the network that answers.
    """
    card = current_app.extensions["model_card"]
    others = card.sections["others"].figures
    if others is None or card.sha256 != current_state().predictions.classifier.sha256:
        return {}
    told: Mapping[str, Any] = others["told"]
    return told


def gallery_confusion(state: State) -> Mapping[str, Any]:
    """The gallery's samples by label and answer, as far as they have been read; never waits."""
    counts = {true: dict.fromkeys(CLASS_NAMES, 0) for true in CLASS_NAMES}
    unread = unsure = 0
    for sample in state.gallery.samples.values():
        found = state.predictions.peek(sample)
        if found is None:
            unread += 1
        else:
            counts[sample.true_label][found.label] += 1
            unsure += found.abstained
    rows = tuple(tuple(counts[true].values()) for true in CLASS_NAMES)
    return {"rows": rows, "all": len(state.gallery.samples), "unread": unread, "unsure": unsure}


@blueprint.app_template_filter()
def number(value: float, digits: int = 0) -> str:
    """A number in the visitor's language: 3,763,940 or 3.763.940."""
    return str(format_decimal(value, f"#,##0.{'0' * digits}" if digits else "#,##0"))


@blueprint.app_template_filter()
def whole_percent(share: float) -> str:
    """Without decimals, for axes, aims and intervals; its parts stay on one line."""
    return f"{format_decimal(round(share * 100))}\N{NO-BREAK SPACE}%"


@blueprint.app_template_filter()
def kind_name(kind: str) -> str:
    """What a kind of picture is called; the report's own word where it is a new one."""
    if found := NEAR_CASE.fullmatch(kind):
        side = whole_percent(int(found[1]) / 100)
        return str(_("cropped to the middle %(side)s of each side", side=side))
    return str(KINDS.get(kind, kind))


def _section(id_: str, title: LazyString, build: Builder, reports: Reports) -> Section:
    try:
        return Section(id_, title, build(reports))
    except MissingFigureError as error:
        return Section(id_, title, None, str(error))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # a figure of another kind than it should be, such as a text or an empty list
        return Section(id_, title, None, f"{type(error).__name__}: {error}")


def _networks(reports: Reports) -> tuple[str | None, tuple[str, ...]]:
    """The served file's hash, and the reports that name a file which is not the card's."""
    try:
        name, files = reports["metadata"]["name"], reports["metadata"]["files"]
        served = str(reports["evaluation"]["model"]["files"][f"{name}.tflite"])
        known = {str(entry["sha256"]) for entry in files.values()}
    except (AttributeError, LookupError, TypeError):
        return None, ()
    named = {key: report.get("model_sha256") for key, report in reports.figures.items()}
    named["evaluation"] = served
    stale = (key for key, sha256 in named.items() if sha256 and str(sha256) not in known)
    return served, tuple(sorted(stale))
