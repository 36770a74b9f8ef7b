"""What the tests of the Makefile and of the gate share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.project.checkout import ROOT, Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a folder")


@pytest.fixture
def gate(checkout: Checkout) -> Checkout:
    (checkout.folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", checkout.folder / ".ci" / "run")
    for name in ("bash", "dirname", "grep", "id", "mktemp", "tail", "tee"):
        checkout.link(name)
    checkout.python("python3.11")
    for name in ("chromium", "chromedriver"):
        checkout.script(name, "#!/bin/sh\n")
    checkout.script("apt-get", '#!/bin/sh\necho "apt-get $*" >> "$CALLS"\n')
    checkout.script("sudo", '#!/bin/sh\nshift\nexec "$@"\n')
    return checkout
