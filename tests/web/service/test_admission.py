"""The queue for the network: its bound, its order, and that it holds nobody who only decodes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray

from data.samples import SAMPLES_DIR
from model.inference.classifier import Classifier
from model.inference.prediction import Prediction
from model.preprocessing import load_image
from tests.conftest import StubClassifier
from tests.patience import LONGEST_WAIT
from tests.scan_files import nifti, png, white_share
from tests.web.api.uploading import PREDICTIONS, SLICES, post, problem
from web.service.admission import MAX_BYTES, Admission, Busy


class GatedClassifier(StubClassifier):
    """Answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Semaphore(0)
        self.let = threading.Semaphore(0)

    def predict(self, image: NDArray[np.float32], **options: Any) -> Prediction:
        self.entered.release()
        assert self.let.acquire(timeout=LONGEST_WAIT)
        return super().predict(image, **options)


@pytest.fixture
def classifier() -> GatedClassifier:
    return GatedClassifier()


def one_turn(app: Flask) -> Flask:
    """The app as on a machine with one core."""
    app.extensions["brain_mri"].predictions.admission.width = 1
    return app


@pytest.fixture
def busy(make_app: Callable[..., Flask], gallery_dir: Any) -> Flask:
    return make_app(gallery_dir, MAX_WAITING="1")


def test_places_are_bounded_and_given_back() -> None:
    admission = Admission(2)
    with admission.place(), admission.place():
        assert admission.places == 2
        with pytest.raises(Busy) as caught, admission.place():
            raise AssertionError("there was a third place")
        assert dict(caught.value.get_headers())["Retry-After"] == "1"
    assert (admission.places, admission.refused) == (0, 1)
    with pytest.raises(ZeroDivisionError), admission.place():
        raise ZeroDivisionError
    assert admission.places == 0


def test_bodies_together_are_bounded_and_one_alone_is_not() -> None:
    admission = Admission(8)
    with admission.place(MAX_BYTES + 1), pytest.raises(Busy), admission.place(1):
        raise AssertionError("both were let in")
    with admission.place(MAX_BYTES // 2), admission.place(MAX_BYTES // 2):
        assert admission.places == 2


def test_the_wait_that_is_named_grows_with_the_queue_and_with_the_time_a_turn_takes() -> None:
    admission = Admission(3, seconds=4.0)
    with admission.place(), admission.place(), admission.place():
        with pytest.raises(Busy) as caught, admission.place():
            pass
        assert caught.value.retry_after == 12
        with admission.turn():  # a quick one
            pass
        with pytest.raises(Busy) as caught, admission.place():
            pass
        assert caught.value.retry_after == 11


def test_turns_come_in_order_and_one_at_a_time() -> None:
    admission = Admission(9)
    order: list[int] = []

    def take(number: int) -> None:
        with admission.turn():
            order.append(number)
            time.sleep(0.002)
            assert order[-1] == number

    with ThreadPoolExecutor(8) as pool:
        with admission.turn():
            futures = []
            for number in range(8):
                futures.append(pool.submit(take, number))
                while len(admission._queue) < number + 1:
                    time.sleep(0.001)
        for future in futures:
            future.result()
    assert order == list(range(8))


def test_as_many_have_a_turn_as_there_are_cores() -> None:
    admission = Admission(9, width=3)
    inside = threading.Semaphore(0)
    leave = threading.Event()

    def take() -> None:
        with admission.turn():
            inside.release()
            assert leave.wait(LONGEST_WAIT)

    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(take) for _ in range(5)]
        for _ in range(3):
            assert inside.acquire(timeout=LONGEST_WAIT)
        assert not inside.acquire(timeout=0.2)
        leave.set()
        for future in futures:
            future.result()
    assert admission._running == 0


def test_a_volume_lets_others_through_between_two_slices(
    make_app: Callable[..., Flask], gallery_dir: Any, classifier: GatedClassifier
) -> None:
    app = one_turn(make_app(gallery_dir))
    volume = nifti(np.stack([white_share(1)] * 6, axis=2).astype(np.int16))
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(
            post, app.test_client(), f"{PREDICTIONS}?slice=all", ("head.nii", volume)
        )
        assert classifier.entered.acquire(timeout=LONGEST_WAIT)
        short = pool.submit(post, app.test_client(), PREDICTIONS, ("a.png", png(white_share(1))))
        queue = app.extensions["brain_mri"].predictions.admission._queue
        while not queue:
            time.sleep(0.005)
        classifier.let.release(2)  # a slice, and the one who came after it
        assert short.result(timeout=LONGEST_WAIT).status_code == 200
        assert not long.done()
        classifier.let.release(5)
        assert long.result(timeout=LONGEST_WAIT).status_code == 200


def test_files_are_decoded_while_the_network_is_busy(
    make_app: Callable[..., Flask],
    gallery_dir: Any,
    classifier: GatedClassifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded = threading.Semaphore(0)

    def prepare(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        decoded.release()
        return real(pixels)

    from web.api import uploads

    real = uploads.prepare
    monkeypatch.setattr(uploads, "prepare", prepare)
    app = one_turn(make_app(gallery_dir))
    with ThreadPoolExecutor(2) as pool:
        files = [("a.png", png(white_share(1))), ("b.png", png(white_share(5)))]
        answers = [pool.submit(post, app.test_client(), PREDICTIONS, file) for file in files]
        assert classifier.entered.acquire(timeout=LONGEST_WAIT)
        for _ in files:
            assert decoded.acquire(timeout=LONGEST_WAIT)
        assert not classifier.entered.acquire(timeout=0.2)  # one at a time uses the network
        classifier.let.release(2)
        assert [answer.result(timeout=LONGEST_WAIT).status_code for answer in answers] == [200, 200]


def test_every_route_that_runs_the_network_is_refused_and_no_other(busy: Flask) -> None:
    client = busy.test_client()
    state = busy.extensions["brain_mri"]
    with state.predictions.admission.place():
        for path in (PREDICTIONS, SLICES):
            problem(post(client, path, ("a.png", png(white_share(1)))), 503)
        for path in ("/api/v1/samples/glioma-00/prediction",):
            problem(client.get(path), 503)
        for page in (
            client.get("/samples/glioma-00"), post(client, "/analyse", ("a", b"x")),
            post(client, "/judge/cases", ("glioma/a", b"x")),
        ):  # fmt: skip
            assert (page.status_code, page.mimetype) == (503, "text/html")
            assert page.headers["Retry-After"] == "1"
            assert "The server is busy" in page.text
        for path in (
            "/", "/healthz", "/analyse", "/judge", "/model", "/images/glioma-00",
            "/thumbnails/glioma-00", "/api/v1/samples", "/api/openapi.json",
        ):  # fmt: skip
            assert client.get(path).status_code == 200, path
    assert state.predictions.admission.refused == 6


def test_what_is_known_is_never_refused(busy: Flask, classifier: GatedClassifier) -> None:
    client = busy.test_client()
    classifier.let.release()
    assert client.get("/samples/glioma-00").status_code == 200
    with busy.extensions["brain_mri"].predictions.admission.place():
        assert client.get("/samples/glioma-00").status_code == 200
        assert client.get("/api/v1/samples/glioma-00/prediction").status_code == 200
        problem(client.get("/api/v1/samples/glioma-00/prediction?explain=true"), 503)


def test_health_does_not_wait_for_the_network(
    client: FlaskClient, web_app: Flask, classifier: GatedClassifier
) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(web_app.test_client().get, "/samples/glioma-00")
        assert classifier.entered.acquire(timeout=LONGEST_WAIT)
        assert client.get("/healthz").json == {"status": "ok"}
        assert not answer.done()
        classifier.let.release()
        assert answer.result(timeout=LONGEST_WAIT).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(("explain", "count"), [(False, 20), (True, 2)])
def test_sixteen_threads_answer_exactly_as_one(explain: bool, count: int) -> None:
    """The shipped network, one interpreter: no answer is mixed up with another's."""
    shared = Classifier.load()
    paths = sorted(SAMPLES_DIR.glob("*.png"))[:: 40 // count]
    images = [load_image(path) for path in paths]
    serial = [shared.predict(image, explain=explain) for image in images]
    assert len({found.ood_score for found in serial}) == len(images) == count  # all told apart
    barrier = threading.Barrier(16)

    def read_all(first: int) -> list[tuple[int, Prediction]]:
        barrier.wait()
        order = [(first + k) % len(images) for k in range(len(images))]
        return [(k, shared.predict(images[k], explain=explain)) for k in order]

    with ThreadPoolExecutor(16) as pool:
        answers = [pair for found in pool.map(read_all, range(16)) for pair in found]
    assert len(answers) == 16 * count
    for index, found in answers:
        expected = serial[index]
        for name in ("label", "confidence", "probabilities", "prediction_set", "ood_score"):
            assert getattr(found, name) == getattr(expected, name)
        if explain:
            assert found.explanation is not None
            assert expected.explanation is not None
            assert found.explanation.label == expected.explanation.label
            assert np.array_equal(found.explanation.values, expected.explanation.values)
        else:
            assert found.explanation is None
