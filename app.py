"""The web app: ``create_app`` builds it, ``python app.py`` serves it.

Importing this module has no side effect. Production runs ``gunicorn "app:create_app()"``.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import socket
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from web.settings import ROOT, ConfigError, settings_from

if TYPE_CHECKING:
    from flask import Flask

    from web.service.predictions import ClassifierLike

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
    from web.build import UNUSABLE, build

    try:
        return build(settings_from(os.environ if config is None else config), classifier)
    except (ConfigError, *UNUSABLE) as error:
        sys.stderr.write(f"Cannot start: {error}\n")
        raise StartupError(str(error)) from None


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
