"""What people send, mixed: pages, thumbnails, samples, uploads of every kind, and bad requests.

What the right answers are is worked out here, by the classifier itself, one image after another.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from benchmarks.report import ROOT
from benchmarks.service.load.files import bad_files, good_files
from benchmarks.service.load.requests import Ask, Check, is_problem, upload
from model.inference.classifier import Classifier
from model.inference.prediction import Prediction
from model.preprocessing import load_image, prepare
from model.reading.open_scan import read_scan

GALLERY = ROOT / "data" / "samples"
PREDICTIONS = "/api/v1/predictions"
TOLERANCE = 2e-3  # of a probability: threads may add in another order
REFUSED = (400, 413, 415, 422)

SHARES = {
    "page": 20, "thumbnail": 30, "image": 5, "healthz": 5, "sample": 10, "sample with map": 4,
    "jpeg": 8, "png": 4, "photo": 2, "dicom": 3, "nifti": 2, "upload with map": 3,
    "bad file": 3, "bad request": 1,
}  # fmt: skip
"""Of a hundred requests: a visit to the gallery is mostly its pictures."""

Catalogue = dict[str, list[Ask]]


def holds(text: str) -> Check:
    """A check: the page holds a text."""
    return lambda body: None if text.encode() in body else f"lacks {text!r}"


def begins(start: bytes) -> Check:
    """A check: the file is of a kind."""
    return lambda body: None if body.startswith(start) else "another kind of file"


def predicts(expected: Prediction, *, with_map: bool = False) -> Check:
    """A check: the answer is what the classifier says, with a heat map where one was asked for."""

    def check(body: bytes) -> str | None:
        try:
            content = json.loads(body)
            found = content.get("prediction") or content["predictions"][0]
            distance = max(
                abs(found["probabilities"][name] - share)
                for name, share in expected.probabilities.items()
            )
            shown = found["explanation"] is not None
        except (ValueError, KeyError, TypeError, IndexError):
            return "no prediction"
        if found["label"] != expected.label or distance > TOLERANCE:
            return "another prediction"
        return None if shown == with_map else "a heat map too many or too few"

    return check


def classify(classifier: Classifier, content: bytes) -> Prediction:
    """What the service should say of an upload: of its middle slice."""
    scan = read_scan(content)
    (middle,) = scan.slices()
    return classifier.predict(prepare(middle.pixels()))


def catalogue() -> Catalogue:
    """Every request of the mix, by kind, with what its answer should be."""
    classifier = Classifier.load()
    manifest = json.loads((GALLERY / "manifest.json").read_text(encoding="utf-8"))
    found = _gallery_asks(classifier, manifest["samples"])
    found["page"] = [
        Ask("page", path, check=holds("</html>")) for path in ("/", "/analyse", "/model")
    ]
    found["healthz"] = [Ask("healthz", "/healthz", check=holds('"ok"'))]
    for kind, files in good_files().items():
        expected = [classify(classifier, content) for _, content in files]
        found[kind] = [
            upload(kind, file, PREDICTIONS, check=predicts(answer))
            for file, answer in zip(files, expected, strict=True)
        ]
        if kind == "jpeg":
            found["upload with map"] = [
                upload("upload with map", file, f"{PREDICTIONS}?explain=true",
                       check=predicts(answer, with_map=True))
                for file, answer in zip(files, expected, strict=True)
            ]  # fmt: skip
    found["bad file"] = [
        upload("bad file", file, PREDICTIONS, statuses=REFUSED, check=is_problem)
        for file in bad_files().values()
    ]
    found["bad request"] = _bad_requests()
    return found


def _gallery_asks(classifier: Classifier, samples: list[dict[str, Any]]) -> Catalogue:
    found: Catalogue = {"thumbnail": [], "image": [], "sample": [], "sample with map": []}
    for sample in samples:
        name = sample["id"]
        answer = classifier.predict(load_image(GALLERY / sample["file"]))
        path = f"/api/v1/samples/{name}/prediction"
        found["thumbnail"].append(
            Ask("thumbnail", f"/thumbnails/{name}?w=240", check=begins(b"RIFF"))
        )
        found["image"].append(Ask("image", f"/images/{name}", check=begins(b"\x89PNG")))
        found["sample"].append(Ask("sample", path, check=predicts(answer)))
        found["sample with map"].append(
            Ask("sample with map", f"{path}?explain=true", check=predicts(answer, with_map=True))
        )
    return found


def _bad_requests() -> list[Ask]:
    def bad(path: str, status: int, method: str = "GET") -> Ask:
        return Ask("bad request", path, method, statuses=(status,), check=is_problem)

    return [
        bad("/api/v1/samples/no-such-sample/prediction", 404),
        bad("/api/v1/samples?sort=nothing-of-the-kind", 400),
        bad("/api/v1/predictions?explain=perhaps", 400, "POST"),
        bad("/api/v1/predictions", 400, "POST"),
        bad("/api/v1/predictions", 405),
    ]


def mixed(asks: Catalogue, seed: int = 0) -> Iterator[Ask]:
    """Requests without end, drawn by `SHARES`; the same for the same seed."""
    draw = random.Random(seed)
    kinds = [kind for kind in SHARES if asks.get(kind)]
    weights = [SHARES[kind] for kind in kinds]
    while True:
        yield draw.choice(asks[draw.choices(kinds, weights)[0]])


def fixed_mix(asks: Catalogue, count: int) -> list[Ask]:
    """`count` requests by `SHARES`; every kind, bad file and bad request is among them."""
    found = [*asks["bad file"], *asks["bad request"]]
    found += [asks[kind][0] for kind in SHARES if kind not in ("bad file", "bad request")]
    if count < len(found):
        raise ValueError(f"`count` must be at least {len(found)}. Received: {count}")
    rest = mixed(asks)
    found += [next(rest) for _ in range(count - len(found))]
    random.Random(0).shuffle(found)
    return found
