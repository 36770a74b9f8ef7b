"""The JSON API's errors: one shape on every route."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


def assert_problem(response: TestResponse, status: int, title: str, instance: str) -> str:
    """Checks the problem document and returns its detail."""
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    assert response.json is not None
    assert list(response.json) == ["type", "title", "status", "detail", "instance"]
    assert response.json["type"] == "about:blank"
    assert response.json["title"] == title
    assert response.json["status"] == status
    assert response.json["instance"] == instance
    return str(response.json["detail"])


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("explain=yes!", "`explain` must be true or false. Received: 'yes!'."),
        (
            "explain_class=cyst",
            "`explain_class` must be one of: glioma, meningioma, notumor, pituitary. "
            "Received: 'cyst'.",
        ),
        ("explian=true", "Parameters must be among explain, explain_class. Received: `explian`."),
    ],
)
def test_what_a_prediction_may_be_asked(client: FlaskClient, query: str, detail: str) -> None:
    path = "/api/v1/samples/glioma-01/prediction"
    assert assert_problem(client.get(f"{path}?{query}"), 400, "Bad Request", path) == detail


@pytest.mark.parametrize("sample_id", ["absent", "GLIOMA-00", "a" * 3000, "%00", "glioma-00%00"])
def test_an_unknown_sample_is_404(client: FlaskClient, sample_id: str) -> None:
    path = f"/api/v1/samples/{sample_id}/prediction"
    detail = assert_problem(client.get(path), 404, "Not Found", path.replace("%00", "\0"))
    assert detail == "No sample has this id; /api/v1/samples lists them all."


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/samples/", "/api/v2/samples"])
def test_an_unknown_api_path_is_404(client: FlaskClient, path: str) -> None:
    assert_problem(client.get(path), 404, "Not Found", path)


@pytest.mark.parametrize("path", ["/api/v1/samples", "/api/v1/samples/glioma-00/prediction"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_another_method_is_405(client: FlaskClient, path: str, method: str) -> None:
    response = client.open(path, method=method)
    assert_problem(response, 405, "Method Not Allowed", path)
    assert sorted(response.headers["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (
            "class=tumor",
            "`class` must be one of glioma, meningioma, notumor, pituitary. Received: 'tumor'.",
        ),
        ("result=maybe", "`result` must be one of right, wrong. Received: 'maybe'."),
        ("sure=very", "`sure` must be one of sure, unsure. Received: 'very'."),
        (
            "predicted=1",
            "`predicted` must be one of glioma, meningioma, notumor, pituitary. Received: '1'.",
        ),
        ("sort=id", "`sort` must be one of confidence, -confidence. Received: 'id'."),
        (f"q={'x' * 65}", "`q` must have at most 64 characters. Received: 65 characters."),
    ],
)
def test_a_bad_filter_is_400(client: FlaskClient, query: str, detail: str) -> None:
    response = client.get(f"/api/v1/samples?{query}")
    assert assert_problem(response, 400, "Bad Request", "/api/v1/samples") == detail


def test_an_unexpected_error_is_500_and_shows_nothing(
    client: FlaskClient, classifier: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(image: object) -> None:
        raise RuntimeError("the secret of the inside")

    monkeypatch.setattr(classifier, "predict", fail)
    response = client.get("/api/v1/samples/glioma-00/prediction")
    detail = assert_problem(
        response, 500, "Internal Server Error", "/api/v1/samples/glioma-00/prediction"
    )
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert detail.startswith("Something went wrong on the server.")
