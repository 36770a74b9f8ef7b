"""gunicorn's threaded worker, with two habits of its own; ``gunicorn.conf.py`` names it."""

from __future__ import annotations

import os
import select
import socket
import struct
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from web.settings import server_settings_from


class Worker(ThreadWorker):  # type: ignore[misc]  # has no annotations
    """Frees the thread of a stalled client, and refuses new clients while it stops."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        seconds = server_settings_from(os.environ).read_timeout
        self._patience = struct.pack("ll", seconds, 0)  # a timeval

    def enqueue_req(self, conn: Any) -> None:
        """Bounds each wait for a client's next bytes: gunicorn would wait for good.

        By the kernel's option, since gunicorn takes a timeout of Python's off again.
        """
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            conn.sock.setsockopt(socket.SOL_SOCKET, option, self._patience)
        super().enqueue_req(conn)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Once stopping, takes in who has already connected and closes the door.

        gunicorn leaves the socket open until the last answer is out, so that new clients would
        connect and never be answered. The master and, when it only restarts, the next worker have
        the socket for themselves.
        """
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        for _ in range(self.cfg.backlog):
            for listener in select.select(self.sockets, [], [], 0)[0]:
                self.accept(listener)
        for listener in self.sockets:
            listener.close()
