"""A kernel in Jupyter that knows the stages of a project; run as a script.

    python startup.py ABOUT -f CONNECTION_FILE

ABOUT is JSON: `root` is the project's folder, `profile` the one whose values the parameters cell
of a stage gives, `parameters` what `-p` sets. All else is as in any kernel of ipykernel; a
notebook that is no stage finds nothing of this.
"""

import ast
import html
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # The kernel sees a path to import from as Jupyter makes it.
    del sys.path[0]

import ipykernel_launcher
from ipykernel.kernelapp import IPKernelApp
from IPython import get_ipython

_TAG = "parameters"
# So many seconds a look at the project may take.
_LIMIT = 60.0


class Parameters:
    """Has the parameters cell of a stage give what the stage would get in a profile."""

    def __init__(self, about: dict[str, Any], shell: Any) -> None:  # noqa: ANN401 - has no types
        """Begin; `about` is as the command line says, the values go to the notebook of `shell`."""
        self._about = about
        self._shell = shell
        self._root = Path(about["root"]).resolve()
        self._told: set[Path] = set()

    def after(self, result: Any) -> None:  # noqa: ANN401 - as above
        """Look at a cell that has run.

        What is assigned here holds for the next cell, and what is shown here stands below this one.
        """
        info = result.info
        if info is None or not result.success or not _assigns(info.raw_cell):
            return
        path = self._notebook()
        if path is None or not self._is_parameters(path, info.cell_id, info.raw_cell):
            return
        try:
            found = self._ask(path, info.raw_cell)
        except Exception as error:  # noqa: BLE001 - the notebook goes on with its own values
            found = {"mistakes": [f"{type(error).__name__}: {error}"]}
        if found is None:
            return
        if "mistakes" not in found:
            self._shell.user_ns.update(found["values"])
            os.environ.update(found["environment"])
            if Path.cwd() != path.parent:
                found["notes"].append(f"the paths hold in {path.parent}; this is {Path.cwd()}")
        self._shell.display_pub.publish(
            {"text/html": _as_html(found), "text/plain": _as_text(found)}
        )

    def _notebook(self) -> Path | None:
        """Give the notebook's file as Jupyter or VS Code names it, if it is one of the project."""
        name = os.environ.get("JPY_SESSION_NAME") or self._shell.user_ns.get("__vsc_ipynb_file__")
        if not isinstance(name, str) or not name.endswith(".ipynb"):
            return None
        path = Path(name).resolve()
        if not path.is_relative_to(self._root / "notebooks"):
            return None
        if not path.exists() and path not in self._told:
            self._told.add(path)
            text = f"{path.name} is not there any more; restart the kernel of a notebook "
            print(f"{text}that got another name, so that its parameters are known")  # noqa: T201
        return path if path.exists() else None

    def _is_parameters(self, path: Path, cell_id: str | None, source: str) -> bool:
        """Tell whether the cell is tagged so in the file, by its id, or by what it says."""
        try:
            cells = json.loads(path.read_text("utf-8")).get("cells", ())
            tagged = [one for one in cells if _TAG in one.get("metadata", {}).get("tags", ())]
        except (OSError, ValueError, AttributeError, TypeError):
            return False
        known = {one.get("id") for one in cells}
        for one in tagged:
            if cell_id is not None and one.get("id") == cell_id:
                return True
            if cell_id not in known and "".join(one["source"]).strip() == source.strip():
                return True
        return False

    def _ask(self, path: Path, source: str) -> dict[str, Any] | None:
        question = {**self._about, "root": str(self._root), "notebook": str(path), "source": source}
        done = subprocess.run(
            [sys.executable, "-m", "runner.jupyter.values"],
            cwd=self._root,
            input=json.dumps(question).encode(),
            capture_output=True,
            timeout=_LIMIT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode("utf-8", "replace").strip().splitlines()[-1])
        # It comes from our own program.
        found: dict[str, Any] | None = pickle.loads(done.stdout)  # noqa: S301
        return found


def _assigns(source: str) -> bool:
    """Tell whether a cell could be one of parameters: nothing but assignments and texts."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(one, ast.Assign | ast.AnnAssign) for one in body) and all(
        isinstance(one, ast.Assign | ast.AnnAssign | ast.Expr) for one in body
    )


_STAY = "The notebook's own values stay, for in the project there are mistakes:"


def _as_html(found: dict[str, Any]) -> str:
    if "mistakes" in found:
        items = "".join(f"<li>{html.escape(one)}</li>" for one in found["mistakes"])
        return f"<b>{_STAY}</b><ul>{items}</ul>"
    left = ' style="text-align: left"'
    lines = "".join(
        "<tr>" + "".join(f"<td{left}>{html.escape(each)}</td>" for each in row) + "</tr>"
        for row in found["rows"]
    )
    head = "".join(f"<th{left}>{word}</th>" for word in ("parameter", "value", "from"))
    notes = "".join(f"<div><b>{html.escape(one)}</b></div>" for one in found["notes"])
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f"<div>{html.escape(found['title'])}</div>{table if lines else ''}{notes}"


def _as_text(found: dict[str, Any]) -> str:
    if "mistakes" in found:
        return "\n".join([_STAY, *(f"  {one}" for one in found["mistakes"])])
    width = max((len(name) for name, *_ in found["rows"]), default=0)
    lines = [f"{name:<{width}} = {value}  ({origin})" for name, value, origin in found["rows"]]
    return "\n".join([found["title"], *lines, *found["notes"]])


def join(about: str, notebook: str) -> None:
    """Have this kernel, which is one of a run, do so for a notebook from now on."""
    shell: Any = get_ipython()
    os.environ["JPY_SESSION_NAME"] = notebook
    events = shell.events
    for one in [*events.callbacks["post_run_cell"]]:
        # It was joined before.
        if type(getattr(one, "__self__", None)).__name__ == Parameters.__name__:
            events.unregister("post_run_cell", one)
    events.register("post_run_cell", Parameters(json.loads(about), shell).after)


def main() -> None:
    """Be a kernel, as `python -m ipykernel_launcher` is one."""
    about = json.loads(sys.argv.pop(1))
    sys.argv[0] = ipykernel_launcher.__file__
    # ipykernel puts the notebook in the place of `__main__`.
    sys.modules["_runner_startup"] = sys.modules["__main__"]
    app: Any = IPKernelApp.instance()
    app.initialize()
    app.shell.events.register("post_run_cell", Parameters(about, app.shell).after)
    app.start()


if __name__ == "__main__":
    main()
