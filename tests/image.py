"""The image, built from nothing and run as a cluster would, without a Docker engine.

    python -m tests.image [--folder FOLDER]

It installs buildah, debootstrap, podman and runc if they are missing, makes a Debian that stands
in for the base image of `Dockerfile`, builds a clone of the last commit on it, and checks the
image: as a user without a name, on a read-only file system, with 1 GB of memory. Not part of the
tests: it needs root on a Debian, and a few minutes. What is in FOLDER already is used again.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.project import ROOT

TOOLS = ("buildah", "catatonit", "debootstrap", "podman", "runc")
IMAGE = "localhost/pipeline:test"
USER = "12345"
MEMORY = "1g"
# The bridge network would change the machine's own settings.
CONTAINERS = """\
[containers]
netns = "host"
default_ulimits = ["nofile=4096:4096", "nproc=8192:8192"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is done, and how long it took."""
    print(f"{what} …", end=" ", flush=True)
    begun = time.monotonic()
    yield
    print(f"ok, {time.monotonic() - begun:.1f} s", flush=True)


def call(
    *command: str | Path,
    code: int | None = 0,
    seconds: float = 900,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a command to its end; give what it wrote. It must end with `code` (None: any)."""
    done = subprocess.run(
        list(map(str, command)),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=seconds,
        env=env,
    )
    if code is not None and done.returncode != code:
        line = " ".join(map(str, command))
        sys.exit(f"exit code {done.returncode}, not {code}: {line}\n{done.stdout[-4000:]}")
    return done.stdout


@dataclass(frozen=True)
class Place:
    """A folder with an image store of its own."""

    folder: Path

    @property
    def source(self) -> Path:
        """Give the clone that the image is made of."""
        return self.folder / "source"

    def _store(self) -> list[str]:
        return [
            *("--storage-driver", "overlay"),
            *("--root", str(self.folder / "storage"), "--runroot", str(self.folder / "running")),
        ]

    def buildah(self, *words: str | Path) -> str:
        """Run buildah."""
        return call("buildah", *self._store(), *words)

    def podman_line(self, *words: str) -> list[str]:
        """Give the command line of podman."""
        return ["podman", *self._store(), *words]

    def podman(self, *words: str, code: int | None = 0, seconds: float = 300) -> str:
        """Run podman."""
        return call(*self.podman_line(*words), code=code, seconds=seconds)


def get_tools() -> None:
    """Install what is missing."""
    if all(map(shutil.which, TOOLS)):
        return
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(f"this needs {', '.join(TOOLS)}: install them, or run it as root on a Debian")
    with step("Install the tools"):
        call("apt-get", "update", "-qq")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        call("apt-get", "install", "-y", "-qq", "--no-install-recommends", *TOOLS, env=quiet)


def make_base(place: Place) -> None:
    """Make a Debian with a Python, under the name of the base image."""
    (name,) = re.findall(
        r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE
    )
    if name in place.podman("images", "--format", "{{.Repository}}:{{.Tag}}"):
        return
    system = place.folder / "debian"
    with step(f"Make a Debian that stands in for {name}"):
        packages = "--include=python3,python3-venv,ca-certificates"
        call("debootstrap", "--variant=minbase", packages, "bookworm", system)
        container = place.buildah("from", "scratch").strip()
        place.buildah("add", "-q", container, system, "/")
        place.buildah("commit", "-q", container, name)
        place.buildah("rm", container)
        shutil.rmtree(system)


def build(place: Place) -> None:
    """Build the image of the last commit; the host's certificates are lent, not copied."""
    shutil.rmtree(place.source, ignore_errors=True)
    call("git", "clone", "-q", ROOT, place.source)
    trusted = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().openssl_cafile
    settings = place.folder / "pip.conf"
    settings.write_text("[global]\ncert = /run/host-ca.crt\n", "utf-8")
    with step("Build the image"):
        place.buildah(
            *("bud", "-q", "--isolation", "chroot", "--pull=never", "--layers", "-t", IMAGE),
            *("-v", f"{trusted}:/run/host-ca.crt:ro", "-v", f"{settings}:/etc/pip.conf:ro"),
            place.source,
        )
    size = place.podman("images", "--format", "{{.Size}}", IMAGE).strip()
    print(f"  its size is {size}")


def workspace(place: Place, name: str) -> Path:
    """Make a clone that belongs to the user of the container."""
    folder = place.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    call("git", "clone", "-q", place.source, folder)
    call("chown", "-R", f"{USER}:{USER}", folder)
    return folder


def options(*writable: str) -> list[str]:
    """Give the options of a container in which nothing but what is given can be written."""
    return [
        *("--rm", "--read-only", "--read-only-tmpfs=false", "--user", USER, "-m", MEMORY),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *writable,
    ]


def at_work(folder: Path) -> list[str]:
    """Give the options of a container that works in a workspace."""
    return options("-v", f"{folder}:/work", "-w", "/work")


def made(outputs: Path) -> dict[str, str]:
    """Give what a build made, by hash; not what tells of its runs."""
    return {
        path.relative_to(outputs).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(outputs.rglob("*"))
        if path.is_file()
        and path.relative_to(outputs).parts[0] not in {"runs", "log.txt"}
        and path.suffix != ".ipynb"
    }


def state(folder: Path, profile: str) -> dict[str, Any]:
    """Read the record of the newest run."""
    newest = max((folder / "outputs" / profile / "runs").iterdir())
    record: dict[str, Any] = json.loads((newest / "run.json").read_text("utf-8"))
    return record


def check_test(place: Place) -> None:
    """`python run.py test`, of a clone in a workspace and of what is in the image."""
    folder = workspace(place, "tested")
    with step("`python run.py test` of a clone in a workspace, nothing else writable"):
        place.podman("run", *at_work(folder), IMAGE, "python", "run.py", "test")
    log = (folder / "outputs" / "test" / "log.txt").read_text("utf-8")
    (line,) = re.findall(r".*memory.*", log)[:1]
    print(f"  {line.strip()}")
    assert re.search(r"\b1(\.0)? GiB|1024 MiB", line), "the limit of memory is not seen"
    peak = max(stage["peak_memory"] for stage in state(folder, "test")["stages"])
    print(f"  the most memory of a stage's processes: {peak >> 20} MiB")
    with step("The image's own test, only its outputs writable"):
        words = options("--tmpfs", "/project/outputs:mode=1777")
        place.podman("run", *words, IMAGE)


def interrupt(place: Place, folder: Path, *entry: str) -> None:
    """Stop `run.py all` in its middle by SIGTERM to process 1, and look at what is left."""
    name = f"pipeline-{os.getpid()}"
    line = place.podman_line(
        *("run", "--name", name, *at_work(folder), *entry, IMAGE),
        *(["python"] if not entry else []),
        *("run.py", "all"),
    )
    log = folder / "outputs" / "all" / "log.txt"
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        until = time.monotonic() + 120
        while not (log.exists() and "model: started" in log.read_text("utf-8")):
            assert run.poll() is None, run.stdout.read() if run.stdout else ""
            assert time.monotonic() < until, "the stage does not start"
            time.sleep(0.02)
        begun = time.monotonic()
        place.podman("stop", "-t", "90", name)
        code = run.wait(30)
        took = time.monotonic() - begun
    record = state(folder, "all")
    found = [one["state"] for one in record["stages"]]
    print(f"  exit code {code}, {record['state']} in {took:.1f} s, stages {', '.join(found)}")
    assert (code, record["state"], record["exit_code"]) == (143, "cancelled", 143)
    assert "cancelled" in found, "it was over already"


def check_sigterm(place: Place) -> None:
    """A SIGTERM in the middle costs nothing but time."""
    plain = workspace(place, "plain")
    with step("`python run.py all`"):
        place.podman("run", *at_work(plain), IMAGE, "python", "run.py", "all")
    wanted = made(plain / "outputs" / "all")
    assert wanted, "nothing was made"
    for what, entry in (("tini", ()), ("the runner", ("--entrypoint", "python"))):
        folder = workspace(place, "stopped")
        with step(f"SIGTERM in the middle of it, process 1 is {what}"):
            interrupt(place, folder, *entry)
        with step("The same command goes on"):
            place.podman("run", *at_work(folder), IMAGE, "python", "run.py", "all")
        assert made(folder / "outputs" / "all") == wanted, "the build is another one"


def check_pod(place: Place) -> None:
    """The pod of `run.py job`, under `podman play kube`, which knows no Jobs."""
    job = [sys.executable, str(place.source / "run.py"), "job", "all", "--image", IMAGE]
    job += ["--name", "pipeline-pod", "--claim", "pipeline-outputs", "--deadline", "6h"]
    job += ["--memory", "1Gi", "--user", f"{USER}:{USER}"]
    template = YAML(typ="safe").load(call(*job))["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"]["name"] = "pipeline-pod"
    path = place.folder / "pod.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML().dump(pod, file)
    place.podman("volume", "rm", "-f", "pipeline-outputs")
    with step("The pod of `run.py job all`"):
        place.podman("play", "kube", "--network", "host", str(path))
        code = place.podman("wait", "pipeline-pod-run").strip()
        text = place.podman("logs", "pipeline-pod-run")
        place.podman("play", "kube", "--down", str(path))
    assert code == "0", text
    print("  " + text.strip().splitlines()[-1])


def main() -> None:
    """Build, and check."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, help="keeps the base and the image")
    chosen = parser.parse_args()
    get_tools()
    with tempfile.TemporaryDirectory() as temporary:
        place = Place((chosen.folder or Path(temporary)).resolve())
        place.folder.mkdir(parents=True, exist_ok=True)
        settings = place.folder / "containers.conf"
        settings.write_text(CONTAINERS, "utf-8")
        os.environ["CONTAINERS_CONF"] = str(settings)
        make_base(place)
        build(place)
        check_test(place)
        check_sigterm(place)
        check_pod(place)
        if chosen.folder is None:
            place.podman("system", "reset", "--force")


if __name__ == "__main__":
    main()
