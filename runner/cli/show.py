"""`show`: pages of what the runs left, for a browser."""

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..errors import Exit, ProjectError, RunnerError, UsageError, in_a_line
from ..model import BuildKey, State
from ..pages import Site, Standing
from ..plan import request
from ..project import PAGES, Outline, Project, dotenv, layout
from ..runs import RUN_ID, find, store
from ..stop import Stop
from ..system import plain_folder, signals, why
from ..words import did_you_mean
from .commands import RESERVED
from .options import Options
from .shared import label, page_file, write_page

# While a run goes on, its page is made again after so many seconds.
_PACE = 2.0


def show(known: Outline, chosen: Options) -> int:
    """Make the pages of a build, or of a run, and say where they are.

    Args:
        known: the project's names.
        chosen: a profile or a run's id; none is the build that ran last. And the options.

    Raises:
        UsageError: the word is neither, or a page cannot be written.
    """
    words = chosen.rest
    run = _meant(words, known)
    name = run.folder.parents[1].name if run is not None else words[0]
    loaded, mistake = _load(known.root)
    mask = dotenv.mask(known.root, os.environ, loaded.settings.secrets if loaded else ())
    site = Site(known, mask, standings(loaded, mistake, known.profiles))
    try:
        if chosen.has("single") or _in_hub():
            return _single(site, run, chosen.given.get("single"), known)
        named = run is not None and bool(words) and RUN_ID.fullmatch(words[0])
        page = site.of_profile(name, also=[run] if run is not None and named else [])
        site.index()
        if run is not None and (named or run.state == State.RUNNING):
            page = site.of_run(run)
        print(f"the pages are made: {label(page, known.root)}", flush=True)
        _open(page)
        if run is not None and run.state == State.RUNNING and _follow(site, run):
            # All its pages say how it ended.
            site = Site(known, mask, standings(*_load(known.root), known.profiles))
            site.of_profile(name)
            site.index()
    except OSError as error:
        message = f"the pages cannot be written: {why(error)}"
        raise UsageError(message) from None
    return Exit.OK


def _meant(words: tuple[str, ...], known: Outline) -> store.Run | None:
    """Give the run that is meant, or None for a profile that has none.

    Raises:
        UsageError: the words mean none.
    """
    if len(words) == 1 and not RUN_ID.fullmatch(words[0]):
        if words[0] not in known.profiles:
            hint = did_you_mean(words[0], known.profiles)
            message = f"show: `{words[0]}` is no profile and no run's id{hint}"
            raise UsageError(message)
        return next(store.of_build(known.build(BuildKey(words[0]))), None)
    return find.chosen("show", words, known)


def standings(loaded: Project | None, mistake: str, profiles: Iterable[str]) -> dict[str, Standing]:
    """Say for each profile what its next run would do, as far as that can be known."""
    found = {}
    for name in profiles:
        found[name] = Standing(None, mistake)
        if loaded is not None and name in loaded.profiles:
            settings = replace(loaded.settings, force=False)
            try:
                (plan,) = request.read(loaded, settings, [name]).plans(anew=False)
                found[name] = Standing(plan.planned)
            except (RunnerError, OSError) as error:
                found[name] = Standing(None, str(error))
    return found


def after(asked: request.Request) -> None:
    """Make the pages of the builds of a command that has ended; the verdict stays as it is."""
    loaded = asked.project
    known, mask = (
        layout.outline(loaded.root),
        dotenv.mask(loaded.root, os.environ, asked.settings.secrets),
    )
    try:
        # Who presses Ctrl-C now does not make another end of it.
        with signals.ending(Stop()):
            site = Site(known, mask, standings(loaded, "", known.profiles))
            for key in asked.builds:
                site.of_profile(key.folder)
            page = site.index()
    except Exception as error:  # noqa: BLE001 - the run is over, and no failure of it
        what = why(error) if isinstance(error, OSError) else in_a_line(error)
        print(f"run.py: the pages could not be made: {what}", file=sys.stderr)
    else:
        print(f"pages: {label(page, loaded.root)}")


def _load(root: Path) -> tuple[Project | None, str]:
    try:
        return layout.load(root, RESERVED), ""
    except ProjectError as error:
        return None, str(error)


def _in_hub() -> bool:
    """Tell whether a browser would get the page from Jupyter, which shows single files alone."""
    return "JUPYTERHUB_SERVICE_PREFIX" in os.environ


def _single(site: Site, run: store.Run | None, file: str | None, known: Outline) -> int:
    if run is None:
        message = "nothing has run yet; --single makes a page of a run"
        raise UsageError(message)
    name = run.folder.parents[1].name
    path = (
        page_file("--single", file) if file else known.build(BuildKey(name)) / PAGES / "single.html"
    )
    if not file:
        plain_folder(path.parent)
    write_page(lambda: site.single(run, path), path, known.root)
    if not file:
        print("in Jupyter's file view, a double click opens it; `Trust HTML` shows all of it")
    return Exit.OK


def _follow(site: Site, run: store.Run) -> bool:
    """Make the page of a run again and again, where a person looks on; tell whether it ended."""
    if not sys.stdout.isatty():
        print("the run is going on; the page shows it as it is now")
        return False
    print("the run is going on; the page follows it until it ends or you press Ctrl-C", flush=True)
    try:
        while find.again(run).state == State.RUNNING:
            time.sleep(_PACE)
            site.of_run(find.again(run))
    except KeyboardInterrupt:
        print("the page stays as it is now")
        return False
    return True


def _open(page: Path) -> None:
    """Open a page where there is a browser with a window, and a person at it."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not sys.stdout.isatty() or not (screen or sys.platform == "darwin"):
        return
    import webbrowser  # noqa: PLC0415 - only where there is one

    webbrowser.open(page.as_uri())
