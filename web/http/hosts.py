"""What stands in front of the server: proxies that are believed, names that it goes by."""

from __future__ import annotations

from flask import Flask, abort, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

PROBES = ("api.healthz", "api.readyz")
"""Asked by machines that know an address and no name."""


def register_hosts(app: Flask, trusted: tuple[str, ...], proxies: int) -> None:
    """Believes ``proxies`` proxies; answers for the names in ``trusted`` alone, if there are any.

    Flask's own TRUSTED_HOSTS refuses before there is a route, so that it would refuse the probes
    and could not draw the page that says so.
    """
    if proxies:
        # X-Forwarded-For grows by an entry a proxy; of the others the outermost proxy's is kept.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=proxies, x_proto=1, x_host=0, x_port=0, x_prefix=0
        )
    if not trusted:
        return

    @app.before_request
    def check_host() -> None:
        if request.endpoint not in PROBES and not host_is_trusted(request.host, trusted):
            abort(400, f"`Host` must be a name of this site. Received: {request.host[:80]!r}.")
