"""Requests drawn from the OpenAPI document, right and wrong ones: the app keeps to what it says."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app import create_app
from tests.conftest import StubClassifier
from tests.patience import LONGEST_WAIT
from tests.scan_files import nifti, png, white_share
from web.service import readiness

REFUSALS = [400, 404, 405, 413, 415, 422]  # 413 also stands for too many files
config = schemathesis.Config.from_dict(
    {"seed": 1, "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}}}
)
app = create_app({"WARM_UP": "0", "LOG_LEVEL": "ERROR", "RATE_LIMIT": "off"}, StubClassifier())
with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
    drawn = Path(folder) / "glioma.png"
    drawn.write_bytes(png(white_share(1)))  # which the stub reads as glioma
    patch.setattr(readiness, "IMAGE", drawn)
    # /readyz answers 503 until then
    app.extensions["brain_mri"].readiness.start().join(LONGEST_WAIT)
schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app, config=config)
VOLUME = nifti(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
# No schema says which bytes are an image, nor which slices it has: any bytes are right by it.
BEYOND_SCHEMAS: dict[str, list[CheckFunction]] = {"POST": [positive_data_acceptance]}


def _volume_or(file: Any, number: int) -> Any:
    return VOLUME if number % 2 == 0 and isinstance(file, bytes | str) else file


@schema.hook
def map_body(_: schemathesis.HookContext, body: Any) -> Any:
    """Real volumes and slices for half of the drawn files, so that there are answers too."""
    if isinstance(body, dict) and "file" in body:
        files = body["file"]
        if isinstance(files, list):
            body["file"] = [_volume_or(file, k) for k, file in enumerate(files)]
        else:
            body["file"] = _volume_or(files, len(files) if isinstance(files, bytes | str) else 1)
    return body


@schema.parametrize()
@settings(
    max_examples=25, derandomize=True, deadline=None, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_requests_get_the_answers_that_the_document_promises(case: schemathesis.Case) -> None:
    case.call_and_validate(
        excluded_checks=BEYOND_SCHEMAS.get(case.method),
        headers={"Accept-Encoding": "identity"},  # schemathesis does not unpack what WSGI answers
    )
