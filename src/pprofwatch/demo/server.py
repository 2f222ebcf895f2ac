"""Serves the played program's profile on a free loopback port."""

from __future__ import annotations

import contextlib
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from pprofwatch.demo.program import goroutines
from pprofwatch.profiles.text import render_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATH = "/debug/pprof/goroutine?debug=1"


@contextlib.contextmanager
def playing(monotonic: Callable[[], float] = time.monotonic) -> Iterator[str]:
    """Play the program while the context lasts. Yields its address, ``host:port``."""
    began = monotonic()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known = self.path == _PATH
            body = render_text(goroutines(monotonic() - began)) if known else b"Unknown profile\n"
            self.send_response(HTTPStatus.OK if known else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The user looks at the daemon's lines, not at ours."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
