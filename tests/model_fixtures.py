"""Fixtures that several test modules of `model/` share: a pytest plugin they name.

The network is built once a session, and converted once for all workers that run side by side: a
conversion takes seconds.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.model_helpers import RUN, TRUST


@pytest.fixture(scope="session")
def network() -> Any:
    """A network with fresh weights, as it is saved: no normalisation."""
    import keras

    from model.training.architecture import build_cnn

    keras.utils.set_random_seed(5)
    return build_cnn(normalize=False)


@pytest.fixture(scope="session")
def exported(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the exported `network`, unquantised, with `TRUST`; tests must not write to it."""
    from model.export.export import export
    from model.export.fit_trust import write_trust

    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, done = shared / "artifacts", shared / "artifacts.done"
    with FileLock(shared / "artifacts.lock"):
        if not done.exists():
            export(network, RUN, folder, quantization="none")
            write_trust(TRUST, {}, folder)
            done.touch()
    return folder
