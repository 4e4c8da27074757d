"""Kernels of JupyterLab: a parameters cell gives what the stage would get, and shows it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from runner.jupyter.lab import Asked
from tests.project import ROOT, TemporaryProject, below_it, needs_linux, none_left, opened, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

_CHROMIUM = "/usr/bin/chromium"
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
    name: str = "python3",
) -> Iterator[Kernel]:
    """Start the kernel of a notebook as a server does, whose JUPYTER_PATH has our kernelspec."""
    place = project.root.parent / "jupyter"
    if not place.exists():
        Asked(project.root, profile, parameters).write_spec(place / "kernels" / name)
    with spec_from(place) as specs:
        manager = KernelManager(kernel_name=name, kernel_spec_manager=specs)
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
    data = {"JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}
    done = shop.call("lab", "--no-lab", "--profile", "all", env=data)
    assert "choose `project (all)` in Jupyter" in done.out
    (folder,) = (tmp_path / "jupyter" / "kernels").iterdir()
    spec = json.loads((folder / "kernel.json").read_text("utf-8"))
    assert spec["display_name"] == "project (all)"
    assert json.loads(spec["argv"][2])["profile"] == "all"
    with started(shop, shop.root / "notebooks" / "model.ipynb", name=folder.name) as kernel:
        assert rows(kernel.parameters())[0] == "model in the profile all"
        assert kernel.printed("print(alpha)") == "2.5\n"
    shop.call("lab", "--no-lab", env=data)
    assert len([*folder.parent.iterdir()]) == 2
    one = shop.call("lab", "--no-lab", "--remove", "--profile", "test", env=data)
    assert "removed the kernels for test" in one.out
    assert [*folder.parent.iterdir()] == [folder]
    assert "kernels for all" in shop.call("lab", "--no-lab", "--remove", env=data).out
    assert "no kernel is installed" in shop.call("lab", "--no-lab", "--remove", env=data).out
    assert [*folder.parent.iterdir()] == []


def test_what_cannot_be_done_is_said(shop: TemporaryProject) -> None:
    done = shop.call("lab", "--profile", "al", code=2)
    assert "there is no profile `al`; did you mean `all`?" in done.err
    done = shop.call("lab", "mode", code=2)
    assert "there is no stage `mode`; did you mean `model`?" in done.err
    done = shop.call("lab", env={"JUPYTERHUB_SERVICE_PREFIX": "/user/a/"}, code=2)
    assert "lab --no-lab" in done.err
    done = shop.call("lab", "model", "features", code=2)
    assert "lab takes one stage, not 2 words" in done.err
    done = shop.call("lab", "--remove", code=2)
    assert "--remove goes with --no-lab: python run.py lab --no-lab --remove" in done.err


@contextmanager
def served(project: TemporaryProject, *words: str) -> Iterator[tuple[Any, str]]:
    """Run a command that starts JupyterLab, which has settings of its own.

    Gives its process and the address to open.
    """
    folder = project.root.parent / "settings"
    news = folder / "lab/user-settings/@jupyterlab/apputils-extension"
    news.mkdir(parents=True, exist_ok=True)
    text = '{"fetchNews": "false", "checkForUpdates": false}'
    (news / "notification.jupyterlab-settings").write_text(text)
    runtime = folder / "runtime"
    env = {
        "JUPYTER_CONFIG_DIR": str(folder),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "BROWSER": "true",
    }
    with project.running(*words, env=env) as process:
        end = time.monotonic() + 60
        while not (found := [*runtime.glob("jpserver-*[0-9].json")]):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.1)
        server = json.loads(found[0].read_text("utf-8"))
        yield process, f"{server['url']}lab/tree/notebooks/model.ipynb?token={server['token']}"


def saved(path: Path, text: str) -> Any:  # noqa: ANN401 - a notebook has no types
    """Wait until a notebook that holds a text is saved, which Jupyter does in place; read it."""
    end = time.monotonic() + 60
    while True:
        with suppress(ValueError):
            return json.loads(wait_for(path, text))
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_in_jupyterlab_run_all_shows_the_values_and_harms_no_build(shop: TemporaryProject) -> None:
    shop.notebook(
        "model",
        PRINT,
        "from pathlib import Path\n\nPath(output_model).write_text(str(alpha))",
        parameters=f'input_features = "{FEATURES}"\n'
        'output_model = "../outputs/test/model.json"\nalpha = 1.0',
        metadata={
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            }
        },
    )
    shop.run("all")
    path = shop.root / "notebooks" / "model.ipynb"
    before, built = json.loads(path.read_text("utf-8")), contents(shop.outputs("all"))
    with served(shop, "lab", "model", "--profile", "all") as (process, address), browser() as page:
        below = below_it(process)
        page.goto(address)
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.get_by_text("model in the profile all").wait_for(timeout=60_000)
        page.get_by_text("params/all.yaml:2").wait_for()
        page.get_by_text("2.5 ../outputs/all/features.csv ../outputs/all/edit").wait_for()
        wait_for(shop.outputs("all") / "edit" / "model.json", "2.5")
        assert page.get_by_text("missing").count() == 0
        page.keyboard.press("Control+s")
        after = saved(path, "model in the profile all")
        below += below_it(process)

        assert opened(below) == {"127.0.0.1"}
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        none_left(below)
    assert [one["source"] for one in after["cells"]] == [one["source"] for one in before["cells"]]
    assert after["metadata"]["kernelspec"] == before["metadata"]["kernelspec"]
    edit = shop.outputs("all") / "edit"
    assert {
        one: text
        for one, text in contents(shop.outputs("all")).items()
        if not one.is_relative_to(edit)
    } == built
    assert shop.to_run("all") == []


@pytest.mark.slow
@needs_linux
@pytest.mark.parametrize("killed", ["the command", "the server"])
def test_of_a_jupyterlab_that_is_killed_nothing_is_left_and_what_is_saved_stays(
    shop: TemporaryProject, killed: str
) -> None:
    path = shop.root / "notebooks" / "model.ipynb"
    before = json.loads(path.read_text("utf-8"))
    with served(shop, "lab") as (process, address), browser() as page:
        page.goto(address)
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
        page.get_by_text("print(alpha").click()
        page.keyboard.press("Control+End")
        page.keyboard.type(" # edited")
        page.keyboard.press("Control+s")
        saved(path, "# edited")
        below = below_it(process)
        assert len(below) > 1
        if killed == "the server":
            (server,) = psutil.Process(process.pid).children()
            server.kill()
            assert process.wait(30) == 1
        else:
            process.kill()
        none_left(below)
    after = json.loads(path.read_text("utf-8"))
    sources = ["".join(one["source"]) for one in before["cells"]]
    sources[-1] += " # edited"
    assert ["".join(one["source"]) for one in after["cells"]] == sources


def test_a_thread_that_jupyterlab_leaves_holds_nothing_up(tmp_path: Path) -> None:
    text = "import threading\n\nthreading.Thread(target=threading.Event().wait).start()\n"
    (tmp_path / "leaves_a_thread.py").write_text(text, "utf-8")
    words = ["-m", "runner.jupyter.child", str(os.getpid()), str(int(signal.SIGTERM))]
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [sys.executable, *words, "leaves_a_thread"]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=True, timeout=60)


def contents(folder: Path) -> dict[Path, bytes]:
    """Give the files of a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def browser() -> "Iterator[Page]":
    """Give a page of a browser without a window."""
    # It takes more than a second to import.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield made.new_page(viewport={"width": 1400, "height": 1000})
        made.close()
