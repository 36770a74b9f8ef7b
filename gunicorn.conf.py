"""gunicorn's settings, for `python app.py` and for the deployed service.

--bind comes from the command line; the environment variable in brackets changes a value.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # wherever gunicorn was started

from web.settings import ConfigError, server_settings_from

try:
    _chosen = server_settings_from(os.environ)
except ConfigError as error:
    sys.stderr.write(f"Cannot start: {error}\n")
    raise SystemExit(1) from None

# One copy of the model: the free host has 512 MB and a tenth of a core. Each worker has its own
# queue for the network, rate limits and metrics. [WEB_CONCURRENCY]
workers = _chosen.workers
# MAX_WAITING of them may wait for the network; the others serve pages, images and /healthz, and
# say 503 at once. [WEB_THREADS]
threads = _chosen.threads
worker_class = (
    "web.http.gunicorn_worker.Worker"  # gthread, with the two habits that the service needs
)
preload_app = False  # the interpreter's threads and the warm-up thread would not survive the fork
# Seconds without a sign of life; importing and loading are slow on a tenth of a core. [WEB_TIMEOUT]
timeout = _chosen.timeout
# Seconds to finish requests at shutdown; the host kills after 30. [WEB_GRACEFUL_TIMEOUT]
graceful_timeout = _chosen.graceful_timeout
# Seconds an idle connection stays open for the next image. [WEB_KEEPALIVE]
keepalive = _chosen.keepalive
# Open connections, idle ones included, before further ones wait in the kernel. [WEB_CONNECTIONS]
worker_connections = _chosen.connections
# Of these at most so many: a client is better refused than kept in doubt. [WEB_BACKLOG]
backlog = _chosen.backlog
# The longest address of ours has 300 bytes. [WEB_REQUEST_LINE]
limit_request_line = _chosen.request_line
# Browsers send 20 headers and proxies add as many. [WEB_REQUEST_FIELDS]
limit_request_fields = _chosen.request_fields
# Bytes of a header: room for other people's cookies on the same domain. [WEB_REQUEST_FIELD_SIZE]
limit_request_field_size = _chosen.request_field_size
# The heartbeat file is kept off a slow disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
control_socket_disable = True  # nothing administers this server while it runs
accesslog = None  # the app logs each request itself, as JSON

# NumPy's threads wait for one another by spinning, which costs a heat map ten times its processor
# time where there is a tenth of a core; its products are small. Read when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_level = os.environ.get("LOG_LEVEL", "").strip().upper()
logconfig_dict: dict[str, Any] = {  # gunicorn's own lines in the same shape as the app's
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "web.http.request_log.JsonFormatter"}},
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
