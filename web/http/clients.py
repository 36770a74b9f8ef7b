"""How often one address may ask for the network: RATE_LIMIT, counted in memory, 429 past it."""

from __future__ import annotations

import ipaddress
import math
import time
from typing import cast

from flask import Flask, request
from flask.typing import RouteCallable
from flask_limiter import Limiter
from flask_limiter.errors import RateLimitExceeded
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response

from web.http.errors import answer
from web.service.state import current_state

LIMITED = (
    "uploads.predictions",
    "uploads.slices",
    "studies.studies",
    "analyse.page",
    "judge.cases",
    "api.prediction",
    "pages.sample",
)
NETWORK_BITS = 64  # of an IPv6 address: what a provider gives to one customer


def register_limits(app: Flask, rate: str) -> None:
    """Limits the routes that may run the network, all together; after they have been registered.

    Args:
        app: The app.
        rate: As ``web.settings.Settings.rate_limit``.
    """
    limiter = Limiter(client, app=app, storage_uri="memory://")
    shared = limiter.shared_limit(rate, scope="network", exempt_when=is_cheap)
    for endpoint in LIMITED:
        app.view_functions[endpoint] = cast(RouteCallable, shared(app.view_functions[endpoint]))

    @app.errorhandler(RateLimitExceeded)
    def too_many(error: RateLimitExceeded) -> Response:
        breached = limiter.current_limit
        left = 1 if breached is None else max(math.ceil(breached.reset_at - time.time()), 1)
        text = (
            f"An address may make {error.description} requests to the network. Received: more. "
            f"Please try again in {left} s."
        )
        return answer(TooManyRequests(text, retry_after=left), text)


def client() -> str:
    """Who asks: the address, of IPv6 the part that a provider hands out."""
    address = request.remote_addr or ""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address  # of a Unix socket
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(ipaddress.ip_network((found, NETWORK_BITS), strict=False))


def is_cheap() -> bool:
    """Whether this request is answered without the network: by a form, or by what is known."""
    if request.endpoint == "analyse.page":
        return request.method != "POST"
    if request.method == "POST":
        return False
    state = current_state()
    sample = state.gallery.samples.get((request.view_args or {}).get("sample_id", ""))
    kept = sample is None or state.predictions.peek(sample) is not None
    return kept and request.args.get("explain", "") in ("", "false")
