"""The app put together from its rooms: state, what wraps each request, routes.

Importing this module loads Flask, NumPy and LiteRT.
"""

from __future__ import annotations

import logging
from pathlib import Path

from flask import Flask

from model.inference.classifier import DEFAULT_MODEL_PATH, Classifier
from model.inference.model_files import ModelFileError
from web.api import openapi, samples, studies, uploads
from web.http import metrics
from web.http.errors import register_errors
from web.http.hosts import register_hosts
from web.http.memory import resident_megabytes, return_large_blocks
from web.http.request_log import configure_logging, log_requests
from web.http.responses import add_headers, register_compression
from web.model_card import page as model_card
from web.model_card.reports import ReportError, load_reports
from web.pages import analyse, api_page, gallery, images, judge
from web.pages.display import compile_templates, register_display
from web.pages.languages import register_languages
from web.service.admission import Admission, cores
from web.service.predictions import ClassifierLike, Predictions
from web.service.readiness import Readiness
from web.service.samples import GalleryError, load_gallery
from web.service.state import State, attach
from web.settings import ROOT, Settings

UNUSABLE = (GalleryError, ModelFileError, ReportError)
"""What `build` raises where a file that the app needs cannot be used."""

ROUTES = (
    gallery, analyse, judge, images, model_card, samples, uploads, studies, openapi, api_page,
    metrics,
)  # fmt: skip

logger = logging.getLogger("app")


def build(settings: Settings, classifier: ClassifierLike | None = None) -> Flask:
    """Builds the app.

    Args:
        settings: What the deployment chose.
        classifier: Used instead of loading the model file.

    Raises:
        GalleryError, ModelFileError, ReportError: A file cannot be used.
    """
    return_large_blocks()
    configure_logging(settings.log_level)
    found = load_gallery(settings.gallery_dir)
    model = classifier or load_classifier(settings.model_path or DEFAULT_MODEL_PATH)
    card = model_card.make_card(load_reports())

    app = Flask("app", root_path=str(ROOT))
    app.request_class = uploads.InMemoryRequest
    app.jinja_env.lstrip_blocks = True  # pages without the indent of the templates' blocks
    # static addresses carry their content's hash, as the versioned images do
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = images.A_YEAR
    app.json.sort_keys = False  # type: ignore[attr-defined]
    predictions = Predictions(model, found, Admission(settings.max_waiting, cores()))
    state = State(found, predictions, Readiness(predictions))
    attach(app, state)
    model_card.attach(app, card)
    wrap_requests(app, state, settings)
    for module in ROUTES:
        app.register_blueprint(module.blueprint)
    if settings.rate_limit is not None:
        from web.http.clients import register_limits  # 7 MB, for those who want it

        register_limits(app, settings.rate_limit)  # of routes that are there
    if settings.warm_up:
        state.readiness.start()
        predictions.warm_up(first=lambda: compile_templates(app))
    return app


def wrap_requests(app: Flask, state: State, settings: Settings) -> None:
    """What happens around each request: the first listed sees the finished answer last."""
    register_compression(app)
    add_headers(app)
    log_requests(app)
    metrics.register_metrics(app, state, settings.metrics_token)
    register_hosts(app, settings.trusted_hosts, settings.trusted_proxies)
    register_errors(app)
    register_languages(app)
    register_display(app)


def load_classifier(path: Path) -> Classifier:
    """The network, and a line in the log that says which and how long it took."""
    classifier = Classifier.load(path)
    fields = {
        "path": str(classifier.path),
        "sha256": classifier.sha256,
        "milliseconds": round(classifier.load_milliseconds, 1),
        "rss_megabytes": resident_megabytes(),
    }
    logger.info("model loaded", extra={"fields": fields})
    return classifier
