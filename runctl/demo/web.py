"""The HTTP server under the embedded cloud: werkzeug's, threaded, quiet, on a socket that is bound already."""

from __future__ import annotations

import socket
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from runctl.demo.edge import Edge


class _Handler(MotoRequestHandler):
    """Keeps connections open between requests and writes no log."""

    protocol_version = "HTTP/1.1"
    # A reply leaves in two writes (head, body); with Nagle's algorithm the second one waits 40 ms for an ACK.
    disable_nagle_algorithm = True

    def log(self, *_args: Any) -> None:
        """Say nothing: the process's output belongs to the handshake."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Time of a reply: the cloud's, which may stand still or be wrong on purpose."""
        edge: Any = self.server.app
        return str(edge.date()) if timestamp is None else super().date_time_string(timestamp)


def make_web_server(listener: socket.socket, application: Edge) -> BaseWSGIServer:
    """A threaded server for `application` on `listener`."""
    host, port = listener.getsockname()[:2]
    server = make_server(host, port, application, threaded=True, request_handler=_Handler, fd=listener.fileno())
    vars(server).update(daemon_threads=True)  # an attribute of the threading mix-in: nothing waits for a hung request
    return server
