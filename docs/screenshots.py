"""Makes the README's screenshots: `python docs/screenshots.py`, with the phantoms of the gallery.

Needs Chromium (`CHROMIUM` names it where it is not at /usr/bin/chromium) and what `make test`
installs. Writes `docs/screenshots/*.webp`; nothing else is touched.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

ROOT = Path(__file__).resolve().parent.parent
SHOTS = Path(__file__).resolve().parent / "screenshots"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDTH, HEIGHT = 1280, 1000
QUALITY = 82
PATIENCE = 60_000  # milliseconds


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Says nothing: the app logs its requests itself."""


@contextmanager
def served() -> Iterator[str]:
    """The app on the phantoms, every one of them read."""
    sys.path.insert(0, str(ROOT))
    from app import create_app

    settings = {"WARM_UP": "0", "LOG_LEVEL": "ERROR", "GALLERY_DIR": str(ROOT / "data/samples")}
    app = create_app(settings)
    state = app.extensions["brain_mri"]
    for sample in state.gallery.samples.values():
        state.predictions.get(sample)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def shoot(browser: Browser, address: str, name: str, act: Callable[[Page], None]) -> None:
    """Opens a page by `act` and keeps what is seen as WebP."""
    context = browser.new_context(
        base_url=address,
        viewport={"width": WIDTH, "height": HEIGHT},
        reduced_motion="reduce",
        color_scheme="light",
    )
    page = context.new_page()
    act(page)
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    SHOTS.mkdir(exist_ok=True)
    picture.save(SHOTS / f"{name}.webp", quality=QUALITY, method=6)
    context.close()


def browse(page: Page) -> None:
    page.goto("/")


def opened(page: Page) -> None:
    page.goto("/samples/phantom-meningioma-05")
    page.get_by_text("Evidence for Meningioma").first.wait_for(state="attached", timeout=PATIENCE)


def analyse(page: Page) -> None:
    page.goto("/analyse")
    files = sorted((ROOT / "data" / "samples").glob("phantom-*-02.png"))
    page.locator("input[type=file]").first.set_input_files(files[:2])
    page.get_by_text("2 of 2 answered").first.wait_for(timeout=PATIENCE)
    page.get_by_role("button", name="Heat map").first.click()
    page.get_by_text("Evidence for Glioma").first.wait_for(state="attached", timeout=PATIENCE)
    page.evaluate("document.getElementById('results').scrollIntoView()")


def model(page: Page) -> None:
    page.goto("/model")


def main() -> None:
    """Makes them all."""
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for act in (browse, opened, analyse, model):
            shoot(browser, address, act.__name__, act)
        browser.close()


if __name__ == "__main__":
    main()
