"""The HTTP server under the embedded cloud: werkzeug's, threaded, quiet, on a socket that is bound already."""

from __future__ import annotations

import socket
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server


class _Handler(MotoRequestHandler):
    """Keeps connections open between requests and writes no log."""

    protocol_version = "HTTP/1.1"
    # A reply leaves in two writes (head, body); with Nagle's algorithm the second one waits 40 ms for an ACK.
    disable_nagle_algorithm = True

    def log(self, *_args: Any) -> None:
        """Say nothing: the process's output belongs to the handshake."""


def make_web_server(listener: socket.socket, application: Any) -> BaseWSGIServer:
    """A threaded server for `application` on `listener`."""
    host, port = listener.getsockname()[:2]
    server = make_server(host, port, application, threaded=True, request_handler=_Handler, fd=listener.fileno())
    server.daemon_threads = True  # type: ignore[attr-defined]  # of the threading mix-in
    return server
