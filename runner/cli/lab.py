"""`lab`: JupyterLab, in whose kernels a stage gets what it would get in a profile."""

import subprocess
import sys

from ..errors import Exit, ProjectError, UsageError
from ..jupyter import lab as jupyterlab
from ..model import SourceNotebook
from ..plan import request
from ..project import TEST_PROFILE, Outline, Project, layout
from ..words import did_you_mean
from .commands import RESERVED
from .options import Options
from .shared import warn


def lab(known: Outline, chosen: Options) -> int:
    """Start JupyterLab; with `--no-lab` only install a kernel for one that runs already.

    Args:
        known: the project's names.
        chosen: a stage, which is shown first, and the options.

    Raises:
        UsageError: the words or options say nothing possible.
    """
    if chosen.has("remove"):
        return _remove(known, chosen)
    profile = chosen.given.get("profile", TEST_PROFILE)
    if profile not in known.profiles:
        hint = did_you_mean(profile, known.profiles)
        message = f"lab: there is no profile `{profile}`{hint}"
        raise UsageError(message)
    loaded = _load(known)
    notebook = _notebook(known, loaded, chosen)
    if loaded is not None and not _ready(loaded, chosen, profile, notebook):
        return Exit.INTERRUPTED
    asked = jupyterlab.Asked(known.root, profile, chosen.parameters)
    if chosen.has("no_lab"):
        shown = jupyterlab.install(asked)
        print(f"the kernel is installed: choose `{shown}` in Jupyter, which writes that name into")
        print("the notebook; builds do not mind. python run.py lab --no-lab --remove removes it")
        return Exit.OK
    jupyterlab.must_start("python run.py lab --no-lab gives it a kernel")
    print(f"in JupyterLab, parameters cells give what a stage gets in {profile}; ", end="")
    print("Ctrl-C ends it and its kernels", flush=True)
    code = jupyterlab.serve(asked, None if notebook is None else notebook.label)
    if code < 0:
        warn(f"JupyterLab was killed (signal {-code}); what was saved is there")
        return Exit.FAILED
    return code


def _remove(known: Outline, chosen: Options) -> int:
    if not chosen.has("no_lab"):
        message = "--remove goes with --no-lab: python run.py lab --no-lab --remove"
        raise UsageError(message)
    profile = chosen.given.get("profile")
    gone = jupyterlab.uninstall(known.root, [] if profile is None else [profile])
    print(f"removed the kernels for {', '.join(gone)}" if gone else "no kernel is installed")
    return Exit.OK


def _load(known: Outline) -> Project | None:
    """Read the project; with mistakes in it one works in JupyterLab, too."""
    try:
        return layout.load(known.root, RESERVED)
    except ProjectError as error:
        warn(f"{error}\nJupyterLab starts all the same; until they are mended, notebooks keep")
        warn("their own values")
        return None


def _notebook(known: Outline, loaded: Project | None, chosen: Options) -> SourceNotebook | None:
    if len(chosen.rest) > 1:
        message = f"lab takes one stage, not {len(chosen.rest)} words"
        raise UsageError(message)
    if not chosen.rest:
        return None
    (word,) = chosen.rest
    if loaded is None:
        return None
    name = loaded.stage(word)
    if name is None:
        message = f"lab: there is no stage `{word}`{did_you_mean(word, known.stages)}"
        raise UsageError(message)
    return loaded.notebooks[name]


def _ready(loaded: Project, chosen: Options, profile: str, notebook: SourceNotebook | None) -> bool:
    """Build what a stage needs on test data, which is quick; else say what is missing.

    Returns:
        Whether to go on: not after Ctrl-C.
    """
    if notebook is None:
        return True
    words = [f"{profile}-{notebook.stage}"]
    try:
        settings = chosen.settings(loaded.settings)
        (plan,) = request.read(loaded, settings, words, chosen.parameters).plans(anew=False)
    except ProjectError as error:
        warn(str(error))
        return True
    needed = [one.stage for one in plan.planned if one.may_run and one.stage != notebook.stage]
    if not needed:
        return True
    targets = [f"{profile}-{name}" for name in needed]
    given = [word for one in chosen.parameters for word in ("-p", one)]
    if profile != TEST_PROFILE:
        command = " ".join(["python run.py", *targets])
        warn(f"{notebook.stage} needs what is not built, or out of date: {command}")
        return True
    run = [sys.executable, str(loaded.root / "run.py"), *targets, *given]
    code = subprocess.run(run, cwd=loaded.root, check=False).returncode  # noqa: S603 - our own
    if code == Exit.INTERRUPTED:
        return False
    if code:
        warn(f"what {notebook.stage} needs could not be built; JupyterLab starts all the same")
    return True
