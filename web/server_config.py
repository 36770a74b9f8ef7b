"""Settings of gunicorn, by their environment names: read once, cast with precise failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from web.settings import ConfigError, settings_from, whole_number

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
