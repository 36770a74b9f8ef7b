"""Tries what is served, in the environment that runs this: ``python -m deploy.try_serving``.

Opens every page and classifies one phantom, with its heat map, without a server. ``.ci/run`` does
so with each Python it finds, also with those that the tests cannot run on.
"""

from __future__ import annotations

import platform
import sys

from app import create_app
from web.settings import SYNTHETIC_GALLERY

PAGES = ("/", "/analyse", "/model", "/api", "/api/openapi.json", "/healthz")
PHANTOM = SYNTHETIC_GALLERY / "phantom-glioma-00.png"


def main() -> int:
    """Returns 0 where all of it works; says so, or what did not."""
    client = create_app({"WARM_UP": "0"}).test_client()
    failed = [page for page in PAGES if client.get(page).status_code != 200]
    with PHANTOM.open("rb") as file:
        answer = client.post("/api/v1/predictions?explain=true", data={"file": file})
    label = answer.get_json()["predictions"][0].get("label") if answer.status_code == 200 else None
    if failed or label != "glioma":
        print(f"error: pages that failed: {failed}; {PHANTOM.name} was read as {label}.")
        return 1
    print(f"Python {platform.python_version()} serves every page and reads {PHANTOM.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
