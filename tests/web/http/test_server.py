"""The real server, gunicorn with its file: overload, stalled clients, the end, bad settings."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import LONGEST_WAIT
from tests.scan_files import png, white_share

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "a-token-for-the-tests"
BOUNDARY = "b0undary"
HEAD = 'Content-Disposition: form-data; name="file"; filename="a.png"'
BODY = (
    f"--{BOUNDARY}\r\n{HEAD}\r\n\r\n".encode()
    + png(white_share(1))
    + f"\r\n--{BOUNDARY}--\r\n".encode()
)
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="gunicorn needs POSIX")


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Server:
    process: subprocess.Popen[str]
    port: int
    gate: Path
    """Where a file lets the network answer."""

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST_WAIT)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        return Answer(response.status, response.headers, content)

    def post(self, path: str = "/api/v1/predictions") -> Answer:
        return self.ask("POST", path, BODY, **FORM)

    def waiting(self) -> int:
        page = self.ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}").body.decode()
        (line,) = [line for line in page.splitlines() if line.startswith("network_requests ")]
        return int(float(line.split()[1]))

    def wait_for(self, waiting: int) -> None:
        end = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < end:
            if self.waiting() == waiting:
                return
            time.sleep(0.05)
        raise AssertionError(f"there are never {waiting} requests that wait")


@pytest.fixture
def start(gallery_dir: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts gunicorn on a free port; settings by their environment names.

    Its network answers once the file `gate` is there, which it is if the server is not `held`.
    """
    servers: list[Server] = []

    def serve(*, held: bool = False, **settings: str) -> Server:
        gate = tmp_path / f"gate-{len(servers)}"
        if not held:
            gate.touch()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"]
        command += ["--bind", f"127.0.0.1:{port}", "tests.slow_server:make()"]
        environment = {
            **os.environ, "GALLERY_DIR": str(gallery_dir), "WARM_UP": "0", "RATE_LIMIT": "off",
            "METRICS_TOKEN": TOKEN, "LOG_LEVEL": "WARNING", "GATE": str(gate), **settings,
        }  # fmt: skip
        process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True)
        server = Server(process, port, gate)
        servers.append(server)
        end = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < end:
            assert process.poll() is None, "gunicorn ended before it answered"
            try:
                if server.ask("GET", "/healthz").status == 200:
                    return server
            except OSError:
                time.sleep(0.1)
        raise AssertionError("gunicorn did not answer")

    yield serve
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait(timeout=LONGEST_WAIT)


def test_past_its_limit_it_says_503_at_once_and_serves_the_rest(
    start: Callable[..., Server],
) -> None:
    server = start(held=True, MAX_WAITING="2")
    with ThreadPoolExecutor(16) as pool:
        admitted = [pool.submit(server.post) for _ in range(2)]
        server.wait_for(2)
        refused = [pool.submit(server.post) for _ in range(10)]
        paths = ["/healthz", "/", "/images/glioma-00", "/thumbnails/glioma-00", "/analyse"]
        others = {path: pool.submit(server.ask, "GET", path) for path in paths}
        form = pool.submit(server.post, "/analyse")
        for found in (future.result() for future in refused):
            assert found.status == 503
            assert found.headers["Content-Type"] == "application/problem+json"
            assert 1 <= int(found.headers["Retry-After"]) <= 60
            assert b"busy" in found.body
        page = form.result()
        assert (page.status, page.headers.get_content_type()) == (503, "text/html")
        assert int(page.headers["Retry-After"]) >= 1
        for path, future in others.items():
            assert future.result().status == 200, path
        assert server.waiting() == 2  # all of that happened while the network was busy
        server.gate.touch()
        assert [future.result().status for future in admitted] == [200, 200]
    assert server.waiting() == 0
    assert server.post().status == 200


def test_sigterm_lets_requests_end_and_refuses_new_ones(start: Callable[..., Server]) -> None:
    server = start(held=True, WEB_GRACEFUL_TIMEOUT=str(2 * LONGEST_WAIT))
    with ThreadPoolExecutor(2) as pool:
        answers: list[Future[Answer]] = [pool.submit(server.post) for _ in range(2)]
        server.wait_for(2)
        server.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + LONGEST_WAIT
        refused = False
        while not refused and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", server.port), timeout=LONGEST_WAIT).close()
                time.sleep(0.05)
            except ConnectionRefusedError:
                refused = True
        assert refused
        assert not any(future.done() for future in answers)
        server.gate.touch()
        for future in answers:
            answer = future.result(timeout=LONGEST_WAIT)
            assert answer.status == 200
            assert len(answer.body) == int(answer.headers["Content-Length"])
            assert b'"label": "glioma"' in answer.body or b'"label":"glioma"' in answer.body
    # it does not wait for its own limit, which is twice this one
    assert server.process.wait(timeout=LONGEST_WAIT) == 0


def test_a_stalled_upload_gives_its_place_back(start: Callable[..., Server]) -> None:
    server = start(MAX_WAITING="1", WEB_READ_TIMEOUT="1")
    head = f"POST /api/v1/predictions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n"
    head += f"Content-Type: {FORM['Content-Type']}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=LONGEST_WAIT) as stalled:
        stalled.sendall(head.encode() + BODY[:50])
        server.wait_for(1)
        assert server.post().status == 503
        assert stalled.recv(4096).startswith(b"HTTP/1.1 400 ")
    server.wait_for(0)
    assert server.post().status == 200


def test_a_client_that_says_nothing_gives_its_thread_back(start: Callable[..., Server]) -> None:
    server = start(MAX_WAITING="1", WEB_THREADS="3", WEB_READ_TIMEOUT="1")
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
    for connection in silent:
        connection.sendall(b"GET / HT")
    assert server.ask("GET", "/healthz").status == 200
    for connection in silent:
        connection.close()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"WEB_THREADS": "many"}, "WEB_THREADS must be a whole number from 1 to 512."),
        ({"WEB_CONCURRENCY": "0"}, "WEB_CONCURRENCY must be a whole number from 1 to 64."),
        ({"WEB_GRACEFUL_TIMEOUT": "-1"}, "WEB_GRACEFUL_TIMEOUT must be a whole number"),
        ({"WEB_THREADS": "4", "MAX_WAITING": "4"}, "WEB_THREADS must be at least MAX_WAITING + 2"),
        ({"WEB_CONNECTIONS": "12"}, "WEB_CONNECTIONS must be larger than WEB_THREADS"),
        ({"MAX_WAITING": "none"}, "MAX_WAITING must be a whole number from 1 to 256."),
    ],
)
def test_a_bad_setting_of_the_server_is_one_sentence(settings: dict[str, str], says: str) -> None:
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--check-config"]
    done = subprocess.run(
        [*command, "tests.slow_server:make()"], cwd=ROOT, env={**os.environ, **settings},
        capture_output=True, text=True, timeout=LONGEST_WAIT, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"Cannot start: {says}")
    assert len(done.stderr.splitlines()) == 1
