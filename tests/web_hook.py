"""A web hook that a run tells how it ended."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def web_hook(*, answer: int = 200, delay: float = 0.0) -> Iterator[tuple[str, list[str]]]:
    """Serve on loopback; give an apprise URL for it, and what was sent there.

    Args:
        answer: the status of each answer.
        delay: the seconds before it.
    """
    got: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8"))
            time.sleep(delay)
            self.send_response(answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"json://user:pass-word@127.0.0.1:{server.server_port}/hook", got
        finally:
            server.shutdown()
