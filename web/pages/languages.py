"""The pages' languages: English as written in the code, Spanish from ``translations/``.

The visitor's choice is a cookie; without one the browser's Accept-Language decides. API answers
are in English, whoever asks.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, has_request_context, redirect, request
from flask_babel import Babel, get_locale
from werkzeug.wrappers import Response as WerkzeugResponse

from web.pages.images import A_YEAR

LANGUAGES = {"en": "English", "es": "Español"}
COOKIE = "language"

blueprint = Blueprint("languages", __name__)


def register_languages(app: Flask) -> None:
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = "translations"
    Babel(app, default_locale="en", locale_selector=_choose)
    app.register_blueprint(blueprint)
    app.context_processor(lambda: {"languages": LANGUAGES, "language": current_language()})

    @app.after_request
    def pages_vary(response: Response) -> Response:
        if response.mimetype == "text/html":
            response.vary.update(("Accept-Language", "Cookie"))
            response.content_language.add(current_language())
        return response


@blueprint.get("/language/<code>")
def choose(code: str) -> WerkzeugResponse:
    """Keeps the choice and goes back to ``next``, a path of this site; 404 for other languages."""
    if code not in LANGUAGES:
        abort(404)
    response = redirect(_own_path(request.args.get("next", "")))
    response.set_cookie(
        COOKIE, code, max_age=A_YEAR, secure=request.is_secure, httponly=True, samesite="Lax"
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def current_language() -> str:
    """ "en" or "es"."""
    locale = get_locale()
    return "en" if locale is None else str(locale.language)


def _choose() -> str:
    if not has_request_context() or request.path.startswith("/api/"):
        return "en"
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    return request.accept_languages.best_match(list(LANGUAGES), default="en") or "en"


def _own_path(text: str) -> str:
    """``text`` where it is a path of this site, else the first page: no redirect elsewhere."""
    parts = urlsplit(text)
    plain = text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if plain and not parts.scheme and not parts.netloc and "\n" not in text else "/"
