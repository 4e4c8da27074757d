"""Kernels of JupyterLab: a parameters cell gives what the stage would get, and shows it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from runner.jupyter.lab import Asked
from tests.project import TemporaryProject, left

FEATURES = "../outputs/test/features.csv"


@pytest.fixture
def shop(project: TemporaryProject) -> TemporaryProject:
    """Give a project of two stages, with a profile of its own values."""
    project.profile("test")
    project.profile("all", "model:\n  alpha: 2.5\n")
    project.stage("features", writes=("features.csv",))
    project.notebook(
        "model",
        "print(alpha, input_features, output_model)",
        parameters=f'input_features = "{FEATURES}"\n'
        'output_model = "../outputs/test/model.json"\nalpha = 1.0',
    )
    return project


class Kernel:
    """A kernel for a notebook, and what a server does for that."""

    def __init__(self, client: BlockingKernelClient, path: Path) -> None:
        """Begin with a client of a kernel that has started."""
        self._client = client
        self._path = path

    def cell(self, source: str, cell_id: str | None = None) -> list[dict[str, Any]]:
        """Run a cell; give what stands below it."""
        found: list[dict[str, Any]] = []

        def take(message: dict[str, Any]) -> None:
            if message["msg_type"] in {"stream", "display_data", "execute_result", "error"}:
                found.append(message["content"])

        client = self._client
        content = {
            "code": source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        message = client.session.msg("execute_request", content, metadata={"cellId": cell_id})
        client.shell_channel.send(message)
        key = message["header"]["msg_id"]
        while True:
            got = client.get_iopub_msg(timeout=60)
            if got["parent_header"].get("msg_id") != key:
                continue
            take(got)
            if got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
                break
        while client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != key:
            pass
        return found

    def parameters(self) -> list[dict[str, Any]]:
        """Run the parameters cell as it is saved."""
        cells = nbformat.read(self._path, as_version=4).cells
        return next(
            self.cell(one.source, one.id) for one in cells if one.metadata.get("tags") is not None
        )

    def printed(self, source: str) -> str:
        """Run a cell; give what it prints."""
        return "".join(one.get("text", "") for one in self.cell(source))


@contextmanager
def started(
    project: TemporaryProject,
    path: Path,
    profile: str = "test",
    *,
    parameters: tuple[str, ...] = (),
) -> Iterator[Kernel]:
    """Start the kernel of a notebook as a server does, whose JUPYTER_PATH has our kernelspec."""
    place = project.root.parent / "jupyter"
    if not place.exists():
        Asked(project.root, profile, parameters).write_spec(place / "kernels" / "python3")
    with spec_from(place) as specs:
        manager = KernelManager(kernel_name="python3", kernel_spec_manager=specs)
        environment = {**os.environ, "JPY_SESSION_NAME": str(path)}
        manager.start_kernel(cwd=str(path.parent), env=environment)
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            yield Kernel(client, path)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()
            manager.context.destroy()


@contextmanager
def spec_from(place: Path) -> Iterator[KernelSpecManager]:
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(place)
    try:
        yield KernelSpecManager()
    finally:
        del os.environ["JUPYTER_PATH"]
        if before is not None:
            os.environ["JUPYTER_PATH"] = before


PRINT = "print(alpha, input_features, output_model)"


def rows(shown: list[dict[str, Any]]) -> list[str]:
    """Give the lines of the one table that is shown."""
    (one,) = shown
    assert "<table>" in one["data"]["text/html"]
    text: str = one["data"]["text/plain"]
    return text.splitlines()


def test_the_parameters_cell_gives_what_a_stage_gets_in_a_profile(shop: TemporaryProject) -> None:
    path = shop.root / "notebooks" / "model.ipynb"
    saved = path.read_bytes()
    with started(shop, path, "all", parameters=("model.alpha=4.5",)) as kernel:
        shown = rows(kernel.parameters())
        assert shown == [
            "model in the profile all",
            "input_features = '../outputs/all/features.csv'  (notebook)",
            "output_model   = '../outputs/all/edit/model.json'  (notebook, in edit/)",
            "alpha          = 4.5  (-p model.alpha)",
            "outputs/all/features.csv is missing: python run.py all-features",
        ]
        values = "4.5 ../outputs/all/features.csv ../outputs/all/edit/model.json\n"
        assert kernel.printed(PRINT) == values
        kernel.cell("from pathlib import Path; Path(output_model).write_text('{}')")
        about = "import os; print(os.environ['RUN_STAGE'], os.environ['RUN_PROFILE'])"
        assert kernel.printed(about) == "model all\n"
    assert [one.name for one in (shop.root / "outputs/all").iterdir()] == ["edit"]
    assert path.read_bytes() == saved


def test_the_parameters_cell_run_again_takes_up_what_changed(shop: TemporaryProject) -> None:
    path = shop.root / "notebooks" / "model.ipynb"
    with started(shop, path, "test") as kernel:
        assert rows(kernel.parameters())[3] == "alpha          = 1.0  (notebook)"
        values = f"1.0 {FEATURES} ../outputs/test/model.json\n"
        assert kernel.printed(PRINT) == values
        shop.profile("test", "model:\n  alpha: 7.0\n")
        assert rows(kernel.parameters())[3] == "alpha          = 7.0  (params/test.yaml:2)"
        assert kernel.printed("print(alpha)") == "7.0\n"

        # A mistake leaves the notebook's own values.
        shop.profile("test", "model:\n  alpa: 8.0\n")
        (shown,) = kernel.parameters()
        assert "own values stay" in shown["data"]["text/plain"]
        mistake = "params/test.yaml:2: model has no parameter `alpa`; did you mean `alpha`?"
        assert mistake in shown["data"]["text/plain"]
        assert kernel.printed("print(alpha)") == "1.0\n"

        # What is not saved yet counts.
        shop.profile("test")
        cells = nbformat.read(path, as_version=4).cells
        edited = cells[0].source.replace("alpha = 1.0", "alpha = 3.0\nbeta = 2")
        assert "beta           = 2  (notebook)" in rows(kernel.cell(edited, cells[0].id))
        assert kernel.printed("print(alpha, beta)") == "3.0 2\n"


@pytest.mark.parametrize("name", ["notebooks/_scratch.ipynb", "other/model.ipynb"])
def test_a_notebook_that_is_no_stage_behaves_as_ever(shop: TemporaryProject, name: str) -> None:
    path = shop.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((shop.root / "notebooks" / "model.ipynb").read_bytes())
    with started(shop, path, "all") as kernel:
        assert kernel.parameters() == []
        assert kernel.printed("print(alpha)") == "1.0\n"


def test_other_cells_of_assignments_are_none_of_parameters(shop: TemporaryProject) -> None:
    path = shop.root / "notebooks" / "model.ipynb"
    with started(shop, path, "all") as kernel:
        assert kernel.cell("alpha = 3.0", "another-cell") == []
        assert kernel.printed("print(alpha)") == "3.0\n"


def test_a_kernel_for_another_server_is_installed_and_removed(
    shop: TemporaryProject, tmp_path: Path
) -> None:
    data = {"JUPYTER_DATA_DIR": str(tmp_path / "data")}
    done = shop.call("lab", "--no-lab", "--profile", "all", env=data)
    assert "choose `project (all)` in Jupyter" in done.out
    (folder,) = (tmp_path / "data" / "kernels").iterdir()
    spec = json.loads((folder / "kernel.json").read_text("utf-8"))
    assert spec["display_name"] == "project (all)"
    assert json.loads(spec["argv"][2])["profile"] == "all"
    shop.call("lab", "--no-lab", env=data)
    assert len([*folder.parent.iterdir()]) == 2
    assert "all, test" in shop.call("lab", "--no-lab", "--remove", env=data).out
    assert [*folder.parent.iterdir()] == []


def test_what_cannot_be_done_is_said(shop: TemporaryProject) -> None:
    done = shop.call("lab", "--profile", "al", code=2)
    assert "there is no profile `al`; did you mean `all`?" in done.err
    done = shop.call("lab", "mode", code=2)
    assert "there is no stage `mode`; did you mean `model`?" in done.err
    done = shop.call("lab", env={"JUPYTERHUB_SERVICE_PREFIX": "/user/a/"}, code=2)
    assert "lab --no-lab" in done.err
