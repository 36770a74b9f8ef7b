"""The web app: ``create_app`` wires routes, limits and error handlers; ``python app.py`` serves it.

Importing this module has no side effect. Production runs ``gunicorn "app:create_app()"``.
"""

from __future__ import annotations

import errno
import importlib.util
import logging
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from web.settings import ROOT, ConfigError, settings_from

if TYPE_CHECKING:
    from flask import Flask

    from model.inference.classifier import Classifier
    from web.service.predictions import ClassifierLike

logger = logging.getLogger("app")

# gunicorn's master stops for this exit status of a worker; after others it starts a new worker
CANNOT_START = 4

NOT_INSTALLED = (
    "Flask is not installed for this Python. Run `python -m pip install -r requirements.txt` first "
    "(Python 3.11 to 3.14), or `make serve`, which does it all."
)


class StartupError(SystemExit):
    """The app cannot start: one sentence on standard error, exit status 4."""

    def __init__(self, sentence: str) -> None:
        super().__init__(CANNOT_START)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


def create_app(
    config: Mapping[str, str] | None = None, classifier: ClassifierLike | None = None
) -> Flask:
    """Builds the app.

    Args:
        config: settings by their environment names (see ``web.settings``); the environment if None.
        classifier: used instead of loading the model file.

    Raises:
        StartupError: a setting, the model file, the gallery or a report cannot be used.
    """
    # Imported here and not above: `python app.py` hands over to gunicorn, which would load
    # Flask, NumPy and LiteRT a second time, half of the time to the first answer.
    from flask import Flask

    from model.inference.classifier import DEFAULT_MODEL_PATH, ModelFileError
    from web.api import openapi, uploads
    from web.api import samples as samples_api
    from web.http import metrics
    from web.http.errors import register_errors
    from web.http.hosts import register_hosts
    from web.http.memory import return_large_blocks
    from web.http.request_log import configure_logging, log_requests
    from web.http.responses import add_headers, register_compression
    from web.model_card import page as model_card
    from web.model_card.reports import ReportError, load_reports
    from web.pages import analyse, api_page, images
    from web.pages import gallery as gallery_pages
    from web.pages.display import compile_templates, register_display
    from web.pages.languages import register_languages
    from web.service.admission import Admission, cores
    from web.service.predictions import Predictions
    from web.service.readiness import Readiness
    from web.service.samples import GalleryError, load_gallery
    from web.service.state import State, attach

    return_large_blocks()
    try:
        settings = settings_from(os.environ if config is None else config)
        configure_logging(settings.log_level)
        gallery = load_gallery(settings.gallery_dir)
        model = classifier or _load_classifier(settings.model_path or DEFAULT_MODEL_PATH)
        card = model_card.make_card(load_reports())
    except (ConfigError, GalleryError, ModelFileError, ReportError) as error:
        sys.stderr.write(f"Cannot start: {error}\n")
        raise StartupError(str(error)) from None

    app = Flask(__name__, root_path=str(ROOT))
    app.request_class = uploads.InMemoryRequest
    # static addresses carry their content's hash, as the versioned images do
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = images.A_YEAR
    app.json.sort_keys = False  # type: ignore[attr-defined]
    predictions = Predictions(model, gallery, Admission(settings.max_waiting, cores()))
    state = State(gallery, predictions, Readiness(predictions))
    attach(app, state)
    model_card.attach(app, card)
    register_compression(app)
    add_headers(app)
    log_requests(app)
    metrics.register_metrics(app, state, settings.metrics_token)
    register_hosts(app, settings.trusted_hosts, settings.trusted_proxies)
    register_errors(app)
    register_languages(app)
    register_display(app)
    for module in (
        gallery_pages,
        analyse,
        images,
        model_card,
        samples_api,
        uploads,
        openapi,
        api_page,
        metrics,
    ):
        app.register_blueprint(module.blueprint)
    if settings.rate_limit is not None:
        from web.http.clients import register_limits  # 7 MB, for those who want it

        register_limits(app, settings.rate_limit)
    if settings.warm_up:
        state.readiness.start()
        predictions.warm_up(first=lambda: compile_templates(app))
    return app


def _load_classifier(path: Path) -> Classifier:
    from model.inference.classifier import Classifier
    from web.http.memory import resident_megabytes

    classifier = Classifier.load(path)
    fields = {
        "path": str(classifier.path),
        "sha256": classifier.sha256,
        "milliseconds": round(classifier.load_milliseconds, 1),
        "rss_megabytes": resident_megabytes(),
    }
    logger.info("model loaded", extra={"fields": fields})
    return classifier


def require_free_port(host: str, port: int) -> None:
    """Binds ``host:port`` for a moment.

    Raises:
        ConfigError: the port is taken, or the address cannot be bound.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # on Windows this option would let two servers share a port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"Port {port} is already in use; choose another one: `PORT=8080 make serve`."
            ) from None
        raise ConfigError(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}."
        ) from None


def main() -> NoReturn:
    """Serves the app with gunicorn, or with Flask's threaded server where there is no gunicorn."""
    if importlib.util.find_spec("flask") is None:
        sys.stderr.write(f"Cannot start: {NOT_INSTALLED}\n")
        raise SystemExit(1)
    try:
        settings = settings_from(os.environ)
        require_free_port(settings.host, settings.port)
    except ConfigError as error:
        sys.stderr.write(f"Cannot start: {error}\n")
        raise SystemExit(1) from None
    if os.name == "posix" and importlib.util.find_spec("gunicorn") is not None:
        address = f"[{settings.host}]" if ":" in settings.host else settings.host
        command = [sys.executable, "-m", "gunicorn", "--config", str(ROOT / "gunicorn.conf.py")]
        command += ["--chdir", str(ROOT), "--bind", f"{address}:{settings.port}"]
        os.execv(sys.executable, [*command, "app:create_app()"])
    create_app().run(host=settings.host, port=settings.port, threaded=True)
    raise SystemExit(0)


if __name__ == "__main__":
    main()
