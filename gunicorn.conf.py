"""gunicorn's settings, for `python app.py` and for the deployed service.

--bind comes from the command line.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

workers = 1  # one copy of the model: the free host has 512 MB and a tenth of a core
threads = 4  # so that images and /healthz are answered while the network is busy
preload_app = False  # the interpreter's threads and the warm-up thread would not survive the fork
timeout = (
    120  # seconds a worker may take to start; importing and loading are slow on a tenth of a core
)
graceful_timeout = 20  # seconds to finish requests at shutdown; the host kills after 30
keepalive = 5  # seconds an idle connection stays open for the next image
worker_tmp_dir = (
    "/dev/shm" if Path("/dev/shm").is_dir() else None
)  # heartbeat file kept off a slow disk
control_socket_disable = True  # nothing administers this server while it runs
accesslog = None  # the app logs each request itself, as JSON

# NumPy's threads wait for one another by spinning, which costs a heat map ten times its processor
# time where there is a tenth of a core; its products are small. Read when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_level = os.environ.get("LOG_LEVEL", "").strip().upper()
logconfig_dict: dict[str, Any] = {  # gunicorn's own lines in the same shape as the app's
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "web.logging.JsonFormatter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": "ext://sys.stderr",
        }
    },
    "root": {"level": "WARNING", "handlers": []},
    "loggers": {
        "gunicorn.error": {
            "level": _level if _level in ("DEBUG", "WARNING", "ERROR", "CRITICAL") else "INFO",
            "handlers": ["stderr"],
            "propagate": False,
        }
    },
}
