"""Settings of the web app and of gunicorn: read once at start-up, cast with precise failures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "MRI Brain Tumor Detection"
REAL_GALLERY = ROOT / "data" / "gallery"
SYNTHETIC_GALLERY = ROOT / "data" / "samples"
RATE = re.compile(r"[1-9][0-9]{0,5} per ([1-9][0-9]{0,3} )?(second|minute|hour|day)s?")
HOST_NAME = re.compile(r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\]")
SHORTEST_TOKEN = 16
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class ConfigError(ValueError):
    """A setting whose value cannot be used; the message is one sentence naming the setting."""


@dataclass(frozen=True)
class Settings:
    """Everything a deployment may choose.

    Attributes:
        host: address to listen on.
        port: port to listen on, 1 to 65535.
        log_level: one of LOG_LEVELS.
        gallery_dir: folder with the gallery's manifest.json.
        model_path: the model file, or None for the one in the repository.
        warm_up: whether a background thread classifies the gallery after start-up.
        max_waiting: requests that may wait for or use the network at a time.
        rate_limit: requests to the network that one address may make, or None for any number.
        trusted_proxies: proxies in front whose X-Forwarded-For entries are believed.
        trusted_hosts: host names that the site answers to; empty for any.
        metrics_token: what ``/metrics`` asks for; there is no such page where it is None.
    """

    host: str = "127.0.0.1"
    port: int = 5000
    log_level: str = "INFO"
    gallery_dir: Path = SYNTHETIC_GALLERY
    model_path: Path | None = None
    warm_up: bool = True
    max_waiting: int = 16
    rate_limit: str | None = None
    trusted_proxies: int = 0
    trusted_hosts: tuple[str, ...] = ()
    metrics_token: str | None = None


def settings_from(values: Mapping[str, str]) -> Settings:
    """Casts environment-like ``values``: the attributes' names in capitals.

    RENDER_EXTERNAL_HOSTNAME, which Render sets, is a trusted host too.

    Raises:
        ConfigError: a value is not legal.
    """
    gallery = values.get("GALLERY_DIR", "").strip()
    model = values.get("MODEL_PATH", "").strip()
    return Settings(
        host=values.get("HOST", "").strip() or "127.0.0.1",
        port=_port(values.get("PORT", "").strip() or "5000"),
        log_level=_log_level(values.get("LOG_LEVEL", "").strip() or "INFO"),
        gallery_dir=Path(gallery) if gallery else default_gallery(),
        model_path=Path(model) if model else None,
        warm_up=_flag("WARM_UP", values.get("WARM_UP", "").strip() or "1"),
        max_waiting=whole_number(values, "MAX_WAITING", Settings.max_waiting, 1, 256),
        rate_limit=_rate_limit(values.get("RATE_LIMIT", "").strip() or "off"),
        trusted_proxies=whole_number(values, "TRUSTED_PROXIES", 0, 0, 10),
        trusted_hosts=_trusted_hosts(values),
        metrics_token=_token(values.get("METRICS_TOKEN", "").strip()),
    )


def default_gallery() -> Path:
    """The gallery of real test images where it has been built, else the phantoms."""
    return REAL_GALLERY if (REAL_GALLERY / "manifest.json").is_file() else SYNTHETIC_GALLERY


def whole_number(values: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """The setting ``name``, from ``low`` to ``high``; ``default`` where it is not set.

    Raises:
        ConfigError: it is no such number.
    """
    text = values.get(name, "").strip() or str(default)
    if text.isascii() and text.isdigit() and low <= int(text[:9]) <= high:
        return int(text[:9])
    raise ConfigError(
        f"{name} must be a whole number from {low:,} to {high:,}. Received: {text[:80]!r}."
    )


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535:
        return int(text)
    raise ConfigError(
        f"PORT must be a whole number from 1 to 65535, for example `PORT=8080 make serve`. "
        f"Received: {text!r}."
    )


def _log_level(text: str) -> str:
    level = text.upper()
    if level in LOG_LEVELS:
        return level
    raise ConfigError(f"LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}. Received: {text!r}.")


def _flag(name: str, text: str) -> bool:
    if text in ("0", "1"):
        return text == "1"
    raise ConfigError(f"{name} must be 0 or 1. Received: {text!r}.")


def _rate_limit(text: str) -> str | None:
    """Rates, "60 per minute; 1000 per day", or None for "0" or "off"."""
    if text.lower() in ("0", "off"):
        return None
    if all(RATE.fullmatch(rate.strip()) for rate in text.split(";")):
        return text
    raise ConfigError(
        "RATE_LIMIT must be off, or rates such as `60 per minute; 1000 per day`. "
        f"Received: {text[:80]!r}."
    )


def _trusted_hosts(values: Mapping[str, str]) -> tuple[str, ...]:
    """The names in TRUSTED_HOSTS, divided by commas, and the one that Render gives."""
    listed = [name.strip() for name in values.get("TRUSTED_HOSTS", "").split(",")]
    listed.append(values.get("RENDER_EXTERNAL_HOSTNAME", "").strip())
    names = [name for name in listed if name]
    for name in names:
        if not HOST_NAME.fullmatch(name):
            raise ConfigError(
                "TRUSTED_HOSTS must be host names without ports, divided by commas, such as "
                f"`example.org,.example.net`; a dot in front takes every name below. "
                f"Received: {name[:80]!r}."
            )
    return tuple(dict.fromkeys(names))


def _token(text: str) -> str | None:
    """A secret, which no message repeats."""
    if not text:
        return None
    if len(text) >= SHORTEST_TOKEN and text.isascii() and text.isprintable() and " " not in text:
        return text
    raise ConfigError(
        f"METRICS_TOKEN must be {SHORTEST_TOKEN} or more printable ASCII characters without "
        f"blanks. Received: {len(text)} characters."
    )


SPARE_THREADS = 2
"""Threads beyond those that wait for the network: one says 503, one answers /healthz."""


@dataclass(frozen=True)
class ServerSettings:
    """What a deployment may choose of gunicorn; ``gunicorn.conf.py`` says what each is for."""

    workers: int
    threads: int
    timeout: int
    graceful_timeout: int
    keepalive: int
    read_timeout: int
    connections: int
    backlog: int
    request_line: int
    request_fields: int
    request_field_size: int


def server_settings_from(values: Mapping[str, str]) -> ServerSettings:
    """Casts environment-like ``values``.

    Raises:
        ConfigError: a value is not legal, or there are too few threads to say 503 when MAX_WAITING
            requests wait for the network.
    """
    waiting = settings_from(values).max_waiting
    found = ServerSettings(
        workers=whole_number(values, "WEB_CONCURRENCY", 1, 1, 64),
        threads=whole_number(values, "WEB_THREADS", waiting + 2 * SPARE_THREADS, 1, 512),
        timeout=whole_number(values, "WEB_TIMEOUT", 120, 1, 3600),
        graceful_timeout=whole_number(values, "WEB_GRACEFUL_TIMEOUT", 20, 1, 3600),
        keepalive=whole_number(values, "WEB_KEEPALIVE", 5, 1, 3600),
        read_timeout=whole_number(values, "WEB_READ_TIMEOUT", 20, 1, 3600),
        connections=whole_number(values, "WEB_CONNECTIONS", 1000, 2, 65536),
        backlog=whole_number(values, "WEB_BACKLOG", 64, 1, 65535),
        request_line=whole_number(values, "WEB_REQUEST_LINE", 2048, 256, 8190),
        request_fields=whole_number(values, "WEB_REQUEST_FIELDS", 64, 16, 1000),
        request_field_size=whole_number(values, "WEB_REQUEST_FIELD_SIZE", 8190, 1024, 65536),
    )
    _check_fit(found, waiting)
    return found


def _check_fit(found: ServerSettings, waiting: int) -> None:
    if found.threads < waiting + SPARE_THREADS:
        raise ConfigError(
            f"WEB_THREADS must be at least MAX_WAITING + {SPARE_THREADS}, so that the others are "
            f"answered while requests wait for the network. Received: {found.threads} threads for "
            f"{waiting} that may wait."
        )
    if found.connections <= found.threads:
        raise ConfigError(
            "WEB_CONNECTIONS must be larger than WEB_THREADS, so that connections can stay open. "
            f"Received: {found.connections} for {found.threads} threads."
        )
