"""The page of a sample as the server draws it: its answer, its neighbors, a random one."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.web.html import text_of


def test_sample_page(client: FlaskClient) -> None:
    page = client.get("/samples/glioma-01")
    assert page.status_code == 200
    text = text_of(page.text)
    for words in (
        "Wrong The network says Tumor: likely Kind: meningioma.",
        "The image's label is Glioma .",
        "Glioma label 8.3 % Meningioma label 75.0 %",
        "No tumor label 8.3 % Pituitary tumor label 8.3 %",
        "Time taken 12.5 ms",
        "It is no medical device and this is no diagnosis.",
        f"Image glioma-01 Network stub 0.0.0 Model file, SHA-256 {'5' * 64}",
        "Plane axial Contrast T1c Origin synthetic phantom Seed 1",
        "2 of 6",
    ):
        assert words in text
    assert 'class="bar-fill" width="75.00%"' in page.text
    assert 'rel="prev" data-field="prev" href="/samples/glioma-00"' in page.text
    assert 'rel="next" data-field="next" href="/samples/meningioma-00"' in page.text
    assert '<a href="/#s-glioma-01"' in page.text


@pytest.mark.parametrize(
    ("path", "before", "after", "position"),
    [
        ("/samples/glioma-00", "pituitary-01", "glioma-01", "1 of 6"),
        ("/samples/pituitary-01", "pituitary-00", "glioma-00", "6 of 6"),
        ("/samples/glioma-01?result=wrong", "pituitary-01", "pituitary-01", "1 of 2"),
        ("/samples/notumor-00?result=wrong", "glioma-01", "pituitary-01", "selection of 2"),
        ("/samples/notumor-00?class=notumor", "notumor-00", "notumor-00", "1 of 1"),
        ("/samples/glioma-00?class=notumor&result=wrong", "glioma-00", "glioma-00", "of 0"),
    ],
)
def test_previous_and_next_stay_within_the_filter(
    read_client: FlaskClient, path: str, before: str, after: str, position: str
) -> None:
    page = read_client.get(path).text
    query = path.partition("?")[2].replace("&", "&amp;")
    suffix = f"?{query}" if query else ""
    assert f'data-field="prev" href="/samples/{before}{suffix}"' in page
    assert f'data-field="next" href="/samples/{after}{suffix}"' in page
    assert position in text_of(page)


def test_random_honours_the_filters(read_client: FlaskClient) -> None:
    for _ in range(20):
        response = read_client.get("/random?class=glioma&result=wrong")
        assert response.status_code == 302
        assert response.headers["Location"] == "/samples/glioma-01?class=glioma&result=wrong"
        assert response.headers["Cache-Control"] == "no-store"
        other = read_client.get("/random?class=glioma&not=glioma-00")
        assert other.headers["Location"] == "/samples/glioma-01?class=glioma"


def test_random_reaches_every_sample(read_client: FlaskClient) -> None:
    seen = {read_client.get("/random").headers["Location"] for _ in range(300)}
    assert len(seen) == 6


def test_random_of_nothing_shows_the_empty_gallery(read_client: FlaskClient) -> None:
    response = read_client.get("/random?class=notumor&result=wrong")
    assert response.headers["Location"] == "/?class=notumor&result=wrong"
