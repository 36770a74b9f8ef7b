"""How classes and numbers read on the pages; registered as template globals and filters."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from flask import Flask, url_for
from flask_babel import LazyString, format_date, format_decimal
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from model.config import CLASS_NAMES
from model.inference import answer_text
from model.inference.answer_text import N_
from model.inference.prediction import Prediction
from web.pages.images import thumbnail_set, thumbnail_url
from web.pages.script_words import script_words
from web.service.selection import Filters
from web.service.state import current_state
from web.settings import PROJECT

TITLES: dict[str, LazyString] = {name: _l(title) for name, title in answer_text.TITLES.items()}
SUMMARIES: dict[str, LazyString] = {
    "glioma": _l("Grows from the brain's own supporting cells, inside its tissue."),
    "meningioma": _l("Grows from the membranes around the brain, so it sits at the edge."),
    "notumor": _l("A slice in which no tumor is to be seen."),
    "pituitary": _l("Grows from the gland at the middle of the skull base."),
}
RULE_TEXT = _l(  # model.inference.trust.RULE, written out for the translators
    "The network abstains when the picture does not look like a brain MRI to it, "
    "or when it cannot tell whether there is a tumor."
)
NOTICES = (  # of the galleries that data/samples.py makes, for the translators
    N_(
        "Synthetic images, drawn from the ICBM 152 average brain (see data/atlas/NOTICE). They "
        "show no patient."
    ),
)
PLANES: dict[str, LazyString] = {
    "axial": _l("axial"),
    "coronal": _l("coronal"),
    "sagittal": _l("sagittal"),
}
STYLE_NAMES: dict[str, LazyString] = {
    "T1 with contrast agent": _l("T1 with contrast agent"),
    "mixed": _l("several contrasts"),
    **PLANES,
}
"""Contrasts and planes of `data.dataset.collections.style_of`; abbreviations stay as they are."""
MENU: tuple[tuple[str, LazyString], ...] = (
    ("pages.gallery", _l("Browse")),
    ("analyse.page", _l("Analyse")),
    ("model_card.page", _l("Model")),
    ("api_page.page", _l("API")),
)
"""Pages of the main menu: endpoint and name."""


def percent(probability: float) -> str:
    """One decimal, never rounded to a certainty the network did not state: "98.2 %", ">99.9 %"."""
    if 0.9995 <= probability < 1:
        return f">{_tenths(99.9)} %"
    if 0 < probability < 0.0005:
        return f"<{_tenths(0.1)} %"
    return f"{_tenths(probability * 100)} %"


def milliseconds(value: float) -> str:
    return f"{_tenths(value)} ms" if value < 100 else f"{format_decimal(round(value))} ms"


def whole_number(value: int) -> str:
    return str(format_decimal(value))  # 20,000,000 or 20.000.000


def titles_json(titles: dict[str, LazyString]) -> str:
    """The classes' names in the visitor's language, for scripts."""
    return json.dumps({name: str(title) for name, title in titles.items()}, ensure_ascii=False)


def _tenths(value: float) -> str:
    return str(format_decimal(value, "#,##0.0"))  # in the visitor's language: 12.5 or 12,5


def headline(prediction: Prediction) -> str:
    """The answer in a few words."""
    return answer_text.headline(prediction, _)


def detail(prediction: Prediction) -> str:
    """The kind of a tumor that was found, clear or not; "" without one."""
    return answer_text.detail(prediction, _)


def verdict(prediction: Prediction) -> str:
    """Headline and detail."""
    return answer_text.verdict(prediction, _)


def reason(prediction: Prediction) -> str | None:
    """Why the network abstains, in plain words; None where it does not."""
    return answer_text.reason(prediction, _)


def filter_query(filters: Filters, name: str, value: str) -> dict[str, str]:
    """The query of ``filters`` with its parameter ``name`` set to ``value``, "" for all."""
    return filters.with_(name, value).query


def said(filters: Filters) -> dict[str, str]:
    """Each filter in words, by its parameter. The order of the samples is not a filter."""
    words = {
        "right": _("right"),
        "wrong": _("wrong"),
        "sure": _("sure"),
        "unsure": _("unsure"),
    }
    found = {name: words.get(value, value) for name, value in filters.query.items()}
    if filters.label:
        found["class"] = str(TITLES[filters.label])
    if filters.predicted:
        found["predicted"] = _("taken for %(class)s", **{"class": TITLES[filters.predicted]})
    if filters.q:
        found["q"] = f"“{filters.q}”"
    found.pop("sort", None)
    return found


def plane_name(plane: str | None) -> str:
    """The plane in the visitor's language; "" for None."""
    return str(PLANES.get(plane or "", plane or ""))


def today() -> str:
    """Today's date at Greenwich, written out."""
    return str(format_date(datetime.now(UTC).date(), "long"))


def compile_templates(app: Flask) -> None:
    """Compiles every page ahead, which takes seconds on a tenth of a core."""
    for name in app.jinja_env.list_templates(extensions=["html", "svg"]):
        app.jinja_env.get_template(name)


def register_display(app: Flask) -> None:
    static = Path(str(app.static_folder))

    @lru_cache(maxsize=64)
    def version(name: str) -> str:
        return hashlib.sha256((static / name).read_bytes()).hexdigest()[:12]

    def asset(name: str) -> str:
        """A static file's address with its content's hash, so that it may be cached for good."""
        return url_for("static", filename=name, v=version(name))

    app.add_template_filter(percent)
    app.add_template_filter(milliseconds)
    app.add_template_filter(whole_number, "decimal")
    app.add_template_filter(titles_json)
    app.add_template_filter(headline)
    app.add_template_filter(detail)
    app.add_template_filter(reason)
    app.add_template_filter(said)
    app.add_template_filter(plane_name)
    app.add_template_global(asset)
    app.add_template_global(filter_query)
    app.add_template_global(script_words)
    app.add_template_global(thumbnail_set)
    app.add_template_global(thumbnail_url)
    app.add_template_global(today)
    app.context_processor(
        lambda: {
            "project": PROJECT,
            "class_names": CLASS_NAMES,
            "titles": TITLES,
            "summaries": SUMMARIES,
            "abstaining_rule": RULE_TEXT,
            "menu": MENU,
            "style_names": STYLE_NAMES,
            "gallery_info": current_state().gallery,
            "classifier": current_state().predictions.classifier,
        }
    )
