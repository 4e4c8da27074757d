"""What a stage reads from outside: a file, a package's file, a URL."""

import hashlib
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.project import ROOT, TemporaryProject, wait_for

CARS = (ROOT / "testdata/cars.json").read_bytes()
SHA256 = hashlib.sha256(CARS).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves the cars on loopback and counts the requests."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(CARS)))
        self.end_headers()
        half = self.path.startswith("/half")
        if self.path.startswith("/slow"):
            self.server.over.wait(60)
        self.wfile.write(CARS[: len(CARS) // 2] if half else CARS)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.over.set()
        made.shutdown()
        thread.join()


def reader(project: TemporaryProject, source: str) -> None:
    """Write a stage that copies its source."""
    project.profile("all", f"data:\n  input_source: {source}\n")
    project.notebook(
        "data",
        "import shutil\n\nshutil.copy(input_source, output_cars)",
        parameters='input_source = "../cars.json"\noutput_cars = "../outputs/test/cars.json"',
    )
    project.write("cars.json", "[]")


def built(project: TemporaryProject) -> bytes:
    return (project.outputs("all") / "cars.json").read_bytes()


def test_a_local_file_is_read(project: TemporaryProject, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_bytes(CARS)
    reader(project, str(tmp_path / "mine.json"))
    project.pretend("all")
    assert built(project) == CARS
    assert project.stage_record("all", "data")["inputs"][0]["hash"] == f"sha256:{SHA256}"


def test_a_packages_file_is_read(project: TemporaryProject) -> None:
    reader(project, "package:vega_datasets/_data/cars.json")
    project.pretend("all")
    assert b"chevrolet chevelle malibu" in built(project)


def test_a_url_is_fetched_once_and_verified(project: TemporaryProject, server: Server) -> None:
    reader(project, f'"{server.url("cars.json")}#sha256={SHA256}"')
    project.pretend("all")
    assert built(project) == CARS
    one = project.stage_record("all", "data")["inputs"][0]
    assert one["source"] == f"{server.url('cars.json')}#sha256={SHA256}"
    assert one["hash"] == f"sha256:{SHA256}"
    project.pretend("-f", "all")
    assert server.paths == ["/cars.json"]


def test_a_url_with_another_content_is_refused(project: TemporaryProject, server: Server) -> None:
    reader(project, f'"{server.url("cars.json")}#sha256={"0" * 64}"')
    done = project.pretend("all", code=2)
    assert "params/all.yaml:2: " in done.out
    assert f"its sha256 is {SHA256}; expected {'0' * 64}" in done.out
    assert (project.record("all")["state"], project.record("all")["exit_code"]) == ("failed", 2)
    assert project.states("all") == {"data": "cancelled"}


def test_a_server_that_cannot_be_reached_is_named(project: TemporaryProject) -> None:
    with Server() as server:
        url = server.url("cars.json")
    reader(project, f'"{url}#sha256={SHA256}"')
    done = project.pretend("all", code=2)
    assert f"params/all.yaml:2: {url}: cannot be fetched: " in done.out
    assert "Connection refused" in done.out
    assert (project.record("all")["state"], project.record("all")["exit_code"]) == ("failed", 2)
    assert project.states("all") == {"data": "cancelled"}


def test_an_interrupt_ends_a_download(project: TemporaryProject, server: Server) -> None:
    reader(project, f'"{server.url("slow")}#sha256={SHA256}"')
    with project.running("all") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if f"fetching {server.url('slow')}" in line)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert project.record("all")["exit_code"] == 130
    assert project.states("all") == {"data": "cancelled"}


def test_a_download_that_is_cut_off_leaves_nothing(
    project: TemporaryProject, server: Server
) -> None:
    reader(project, f'"{server.url("half")}#sha256={SHA256}"')
    done = project.pretend("all", code=2)
    assert f"params/all.yaml:2: {server.url('half')}: " in done.out
    left = [path for path in (project.root / "outputs/.downloads").rglob("*") if path.is_file()]
    assert left == []
    assert (project.record("all")["state"], project.record("all")["exit_code"]) == ("failed", 2)
    assert project.states("all") == {"data": "cancelled"}


def test_a_run_in_the_background_that_fetches_can_be_followed_and_stopped(
    project: TemporaryProject, server: Server
) -> None:
    reader(project, f'"{server.url("slow")}#sha256={SHA256}"')
    assert "goes on in the background" in project.run("all", "-b").out
    try:
        wait_for(project.outputs("all") / "log.txt", f"fetching {server.url('slow')}")
        assert "running for" in project.call("status").out
    finally:
        stopped = project.run("stop", code=None)
    assert "it has ended: cancelled" in stopped.out


@pytest.mark.slow
def test_what_cannot_be_fetched_ends_the_whole_command(project: TemporaryProject) -> None:
    with Server() as server:
        url = server.url("cars.json")
    reader(project, f'"{url}#sha256={SHA256}"')
    project.profile("other", f'data:\n  input_source: "{url}#sha256={SHA256}"\n')
    done = project.pretend("all", "other", "-k", code=2)
    assert "other was not started" in project.log("all")
    assert not project.outputs("other").exists()
    (project.root / "outputs/.downloads").rename(project.root / "outputs/old")
    project.write("outputs/.downloads", "")
    done = project.pretend("all", code=2)
    assert "params/all.yaml:2: " in done.out
    assert "Traceback" not in done.text
