"""What the tests of the scan viewer look at: the heat map, the stage, what is asked of the API."""

from __future__ import annotations

import io

from PIL import Image
from playwright.sync_api import Locator, Page, Request, expect


def turn_on(page: Page) -> None:
    """Waits for the heat map, which is on at first."""
    expect(page.locator(".scan-heat")).to_be_visible()


def shown(page: Page, stage: Locator) -> Image.Image:
    return Image.open(io.BytesIO(stage.screenshot())).convert("RGB")


def asked(page: Page) -> list[str]:
    """Collects what is asked of the API from now on."""
    urls: list[str] = []

    def note(request: Request) -> None:
        if "/api/" in request.url:
            urls.append(request.url.partition("/api/v1/")[2])

    page.on("request", note)
    return urls
