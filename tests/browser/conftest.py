"""What the browser tests share: Chromium, a live server, pages whose console must stay silent."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

from tests.patience import PAGE_WAIT
from tests.scan_files import dicom, nifti, png, white_share

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")  # for the session it would leave asyncio's loop to other rooms
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=1000 * PAGE_WAIT)
    if not CHROMIUM.is_file() and os.environ.get("REQUIRE_BROWSER") != "1":
        pytest.skip(f"Chromium is not installed at {CHROMIUM}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def address(web_app: Flask) -> Iterator[str]:
    """A live server whose app has read every sample: glioma-01 and pituitary-01 are wrong."""
    state = web_app.extensions["brain_mri"]
    for sample in state.gallery.samples.values():
        state.predictions.get(sample)
    yield from serve(web_app)


def serve(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    # it looks whether to stop so often: half a second of each test was spent on that
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def browser_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Opens a path in a fresh context, whose console may speak of errors that the server answered.

    `before` is called with the empty page.
    """
    contexts = []

    def open_path(
        path: str, *, before: Callable[[Page], None] | None = None, **options: Any
    ) -> Page:
        context = browser.new_context(base_url=address, reduced_motion="reduce", **options)
        context.set_default_timeout(1000 * PAGE_WAIT)
        contexts.append(context)
        page = context.new_page()
        if before is not None:
            before(page)
        page.goto(path)
        return page

    yield open_path
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(browser_page: Callable[..., Page]) -> Iterator[Callable[..., Page]]:
    """As `browser_page`, but any complaint in the console fails the test."""
    complaints: list[str] = []

    def listen(page: Page) -> None:
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))

    yield partial(browser_page, before=listen)
    assert complaints == []


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A picture, a DICOM file without an ending, a volume, and one that is none of these."""
    shares = [white_share(2 * k + 1, 32).T[::-1, ::-1] for k in (0, 1, 2, 3, 0, 1)]
    contents = {
        "scan.png": png(white_share(1)),
        "other.png": png(white_share(5)),
        "IM000001": dicom(white_share(3).astype(np.uint16)),
        "head.nii.gz": nifti(np.stack(shares, axis=2).astype(np.int16), packed=True),
        "broken.png": b"not a picture at all",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in contents}


@pytest.fixture
def noisy(browser_page: Callable[..., Page]) -> Page:
    """Analyse, for tests in which the server refuses something."""
    return browser_page("/analyse")


@pytest.fixture
def sample(open_page: Callable[..., Page]) -> Page:
    return open_page("/samples/glioma-00", viewport={"width": 1280, "height": 900})
