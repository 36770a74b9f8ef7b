"""The pure parts of the benchmarks of the service: requests, judgements, figures, ratios."""

from __future__ import annotations

import io
import itertools
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.service import render_host
from benchmarks.service.engines import measure as engines
from benchmarks.service.load import mix as serving_mix
from benchmarks.service.load.files import bad_files, encoded, good_files
from benchmarks.service.load.requests import (
    Answer,
    Ask,
    at_rate,
    by_clients,
    is_problem,
    judge,
    milliseconds,
    multipart,
    send,
    summary,
    upload,
)
from benchmarks.service.load.start import start_command
from benchmarks.service.load.wrk import Throughput, WrkError, parse
from model.inference.prediction import Prediction
from model.preprocessing import ImageError
from model.reading.open_scan import read_scan

PROBLEM = json.dumps({"detail": "`file` must not be empty. Received: 0 bytes"}).encode()


@pytest.fixture
def port() -> Iterator[int]:
    """A server whose /ok answers "fine", /busy 503, /drop nothing at all, and others 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/drop":
                self.close_connection = True
                return
            self.send_response({"/ok": 200, "/busy": 503}.get(self.path, 404))
            if self.path == "/busy":
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(b"fine")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.headers["Content-Type"].encode() + b"\n" + body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_send_judges_what_comes_back(port: int) -> None:
    assert send(port, Ask("a", "/ok")).wrong is None
    assert send(port, Ask("a", "/no")).wrong == "status 404 instead of 200"
    assert send(port, Ask("a", "/no", statuses=(404,))).wrong is None
    assert send(port, Ask("a", "/ok", check=lambda body: body.decode())).wrong == "fine"
    busy = send(port, Ask("a", "/busy"))
    assert (busy.busy, busy.wrong, busy.lost) == (True, None, False)
    lost = send(port, Ask("a", "/drop"))
    assert (lost.lost, lost.status) == (True, 0)
    assert lost.wrong is not None
    assert lost.wrong.startswith("no answer")


def test_uploads_arrive_as_forms(port: int) -> None:
    content = b"\x00\r\n--binary"
    seen: list[bytes] = []
    ask = upload("a", ("x.jpg", content), "/", check=lambda body: seen.append(body))
    assert send(port, ask).wrong is None
    body, content_type = multipart(("x.jpg", content))
    assert seen == [content_type.encode() + b"\n" + body]
    assert content in body


def test_an_open_loop_sends_as_many_as_are_due(port: int) -> None:
    asks = itertools.cycle([Ask("a", "/ok"), Ask("b", "/busy")])
    answers = list(at_rate(port, asks, rate=200, seconds=0.2))
    assert len(answers) == 40
    assert Counter(a.kind for a in answers) == {"a": 20, "b": 20}
    due = sorted(a.at for a in answers)
    assert np.allclose(np.diff(due), 1 / 200)


def test_clients_share_the_requests(port: int) -> None:
    answers = by_clients(port, [Ask(str(k), "/ok") for k in range(12)], 3, float("inf"))
    assert sorted(int(a.kind) for a in answers) == list(range(12))


def test_503_is_busy_only_with_retry_after() -> None:
    ask = Ask("a", "/")
    assert judge(ask, 503, b"", "2") is None
    assert judge(ask, 503, b"", None) == "503 without Retry-After"
    assert judge(ask, 503, b"", "soon") == "503 without Retry-After"


def test_problem_documents_explain() -> None:
    assert is_problem(PROBLEM) is None
    assert is_problem(b'{"detail": "no"}') == "no explanation"
    assert is_problem(b"<html>") == "no problem document"


def test_summary_counts_by_kind() -> None:
    answers = [Answer("a", 200, k / 1000, None, 0.0) for k in range(1, 102)]
    answers += [Answer("a", 503, 9.0, None, 0.0), Answer("b", 0, 9.0, "no answer: X", 0.0)]
    answers += [Answer("b", 500, 0.5, "status 500 instead of 200", 0.0)]
    found = summary(answers)
    assert (found["requests"], found["busy"], found["lost"]) == (104, 1, 1)
    assert found["wrong"] == {"b: no answer: X": 1, "b: status 500 instead of 200": 1}
    assert found["kinds"]["a"] == {"requests": 102, "milliseconds": {"p50": 51.0, "p95": 96.0}}
    assert found["kinds"]["b"]["milliseconds"] == {"p50": 500.0, "p95": 500.0}
    assert milliseconds([0.1]) == {"p50": 100.0, "p95": 100.0}


def prediction(label: str = "glioma") -> Prediction:
    shares = {"glioma": 0.7, "meningioma": 0.1, "notumor": 0.1, "pituitary": 0.1}
    return Prediction(label, 0.7, shares, 1.0, (label,), True, 0.5, 1.5)


def body_of(entry: dict[str, Any], *, sample: bool = False) -> bytes:
    return json.dumps({"prediction": entry} if sample else {"predictions": [entry]}).encode()


@pytest.mark.parametrize("sample", [True, False])
def test_answers_are_compared_with_the_classifiers(sample: bool) -> None:
    expected = prediction()
    entry: dict[str, Any] = {"label": "glioma", "explanation": None}
    entry["probabilities"] = dict(expected.probabilities)
    check = serving_mix.predicts(expected)
    assert check(body_of(entry, sample=sample)) is None
    assert serving_mix.predicts(expected, with_map=True)(body_of(entry, sample=sample)) is not None
    entry["probabilities"]["glioma"] = 0.69
    assert check(body_of(entry, sample=sample)) == "another prediction"
    assert check(body_of(entry | {"label": "notumor"}, sample=sample)) == "another prediction"
    assert check(b"{}") == "no prediction"


def few_asks() -> serving_mix.Catalogue:
    kinds = {kind: [Ask(kind, f"/{kind}")] for kind in serving_mix.SHARES}
    return kinds | {"bad file": [Ask("bad file", f"/bad/{k}") for k in range(8)]}


def test_a_mix_is_the_same_for_the_same_seed_and_near_its_shares() -> None:
    one, other = (list(itertools.islice(serving_mix.mixed(few_asks(), 3), 5000)) for _ in "ab")
    assert one == other
    counts = Counter(ask.kind for ask in one)
    assert sum(serving_mix.SHARES.values()) == 100
    for kind, share in serving_mix.SHARES.items():
        assert counts[kind] / 50 == pytest.approx(share, abs=2.5)


def test_a_fixed_mix_has_every_kind_and_every_bad_file() -> None:
    asks = serving_mix.fixed_mix(few_asks(), 200)
    assert len(asks) == 200
    assert {ask.kind for ask in asks} == set(serving_mix.SHARES)
    assert {f"/bad/{k}" for k in range(8)} <= {ask.path for ask in asks}
    with pytest.raises(ValueError, match="`count` must be at least 21"):
        serving_mix.fixed_mix(few_asks(), 20)


def test_good_files_are_read() -> None:
    for kind, files in good_files(1).items():
        ((_, content),) = files
        scan = read_scan(content)
        (middle,) = scan.slices()
        pixels = middle.pixels()
        assert pixels.std() > 1, kind
    photo = Image.open(io.BytesIO(good_files(1)["photo"][0][1]))
    assert photo.width * photo.height == 12_000_000


@pytest.mark.parametrize("name", sorted(bad_files()))
def test_bad_files_are_refused(name: str) -> None:
    def read(content: bytes) -> None:
        scan = read_scan(content)
        scan.slices(None, 0)[0].pixels()

    with pytest.raises(ImageError):
        read(bad_files()[name][1])


def test_pictures_survive_png() -> None:
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encoded(image, "PNG")))), image)


def test_wrk_results_are_read() -> None:
    counts = {"ok": 90, "busy": 7, "failed": 2, "broken": 1, "seconds": 3.0, "p50": 1.5, "p95": 4.0}
    found = parse(f"Running 3s test\nRESULT {json.dumps(counts)}\n", 4)
    assert found == Throughput(clients=4, **counts)  # type: ignore[arg-type]
    assert found.per_second == 30.0
    with pytest.raises(WrkError, match="no result"):
        parse("unable to connect", 4)


def test_start_command_is_render_yamls_on_this_machine() -> None:
    command = start_command(Path("/venv/python"), 4321)
    assert command[:3] == ["/venv/python", "/venv/gunicorn", "--config"]
    assert "127.0.0.1:4321" in command
    assert command[-1] == "app:create_app()"
    assert not [word for word in command if "$" in word or "0.0.0.0" in word]


def test_render_host_counts_the_slowest_heat_map_and_the_kernels_peak() -> None:
    found: dict[str, Any] = {
        "peak_megabytes": 200.0, "peak_resident_megabytes": 300.0, "seconds_to_first_page": 12.0,
        "seconds_with_heat_map": {"while_the_gallery_is_read": [3.1], "afterwards": [0.5]},
        "mixed": {"wrong": {}, "lost": 0}, "killed_for_memory": 0,
        "same_processes_to_the_end": True,
    }  # fmt: skip
    kept = render_host.against_bars(found)
    assert kept.pop("seconds_with_heat_map") is False
    assert all(kept.values())
    assert not render_host.against_bars(found | {"peak_megabytes": None})["peak_megabytes"]
    assert not render_host.against_bars(found | {"killed_for_memory": 1})["nothing_killed"]


def test_installed_size_counts_what_a_package_needs() -> None:
    flask = engines.installed_megabytes(["flask"])
    jinja = engines.installed_megabytes(["jinja2"])
    assert flask is not None
    assert jinja is not None
    assert flask > jinja > 0
    assert engines.installed_megabytes(["no-such-package"]) is None
