"""Prometheus' figures at ``/metrics``, for those who know METRICS_TOKEN; no such page without one.

Labels are routes' rules, methods and statuses: no id, no file name, no address. prometheus_client
is imported only where a token is set. Each worker process counts for itself.
"""

from __future__ import annotations

import hmac
import time

from flask import Blueprint, Flask, Response, abort, current_app, g, request

from model.inference.prediction import Prediction
from web.service.state import State

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def page() -> Response:
    """The figures as Prometheus reads them; 404 for those who do not know the token."""
    metrics = current_app.extensions.get("metrics")
    if not isinstance(metrics, Metrics):
        abort(404)
    return metrics.page()


def register_metrics(app: Flask, state: State, token: str | None) -> None:
    if token is None:
        return
    metrics = Metrics(state, token)
    app.extensions["metrics"] = metrics
    state.predictions.observe = metrics.observe

    @app.after_request
    def count(response: Response) -> Response:
        metrics.count(
            response.status_code, time.perf_counter() - g.started
        )  # by web.http.request_log
        return response


class Metrics:
    """The figures of one app, in a registry of their own."""

    def __init__(self, state: State, token: str) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
        from prometheus_client.core import CounterMetricFamily

        self._token = token
        self.registry = CollectorRegistry()
        names = ["route", "method", "status"]
        self._requests = Counter(
            "http_requests", "Requests answered.", names, registry=self.registry
        )
        self._seconds = Histogram(
            "http_request_seconds", "Seconds until the answer.", ["route"],
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self._inference = Histogram(
            "inference_seconds", "Seconds of one inference.", buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        admission = state.predictions.admission
        Gauge(
            "network_requests", "Requests that wait for or use the network.",
            registry=self.registry,
        ).set_function(lambda: admission.places)  # fmt: skip
        Gauge(
            "network_requests_limit", "How many may at most.", registry=self.registry
        ).set(admission.limit)  # fmt: skip

        class Refused:
            def collect(self) -> list[CounterMetricFamily]:
                text = "Requests refused since too many waited for the network."
                return [CounterMetricFamily("network_refused", text, value=admission.refused)]

        self.registry.register(Refused())
        classifier = state.predictions.classifier
        model = Gauge(
            "model_info", "The network that answers.", ["name", "version", "sha256"],
            registry=self.registry,
        )  # fmt: skip
        model.labels(classifier.name, classifier.version, classifier.sha256).set(1)

    def observe(self, found: Prediction) -> None:
        self._inference.observe(found.milliseconds / 1000)

    def count(self, status: int, seconds: float) -> None:
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.url_rule else "any"  # a client may make methods up
        self._requests.labels(route, method, status).inc()
        self._seconds.labels(route).observe(seconds)

    def page(self) -> Response:
        from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

        offered = request.headers.get("Authorization", "")
        if not hmac.compare_digest(offered.encode(), f"Bearer {self._token}".encode()):
            abort(404)
        response = Response(generate_latest(self.registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
        response.headers["Cache-Control"] = "no-store"
        return response
