"""`stop`: end a run in good order, whatever host it is on."""

import sys
import time
from collections.abc import Sequence

from ..errors import Exit, UsageError
from ..kernels import keeping
from ..model import State
from ..project import CACHE, Outline
from ..runs import find, heartbeat, store
from ..system import why
from ..words import seconds_in_words, state_in_words
from .options import Options

_LOOK = 0.5
# A run that is asked to stop interrupts its cells, saves, and ends; killing takes no time.
_PATIENCE = 60.0
# One that is not heard of may still be there, if clocks or the disk mislead us.
_LITTLE = 15.0


def stop(known: Outline, chosen: Options) -> int:
    """Ask a run to end in good order, whatever host it is on, and wait until it has.

    A run that waits for another one of the same command is stopped together with that.

    Args:
        known: the project's names.
        chosen: a profile or a run's id; none is the one that is running. With `--now` its
            kernels are killed, not interrupted.

    Raises:
        UsageError: a word says nothing possible, or several runs are meant, or the request
            cannot be written.
    """
    words, now = chosen.rest, chosen.has("now")
    code = _stop_run(known, words, now=now)
    return max(code, _end_kept(known, words))


def _end_kept(known: Outline, words: Sequence[str]) -> int:
    """End the kernels that are kept of stages that failed, of what is named or all."""
    code = Exit.OK
    for one in keeping.kept(known.outputs / CACHE):
        if words and not {one.profile, one.run}.intersection(words):
            continue
        name = f"{one.profile}-{one.stage}"
        if one.end():
            print(f"the kernel that was kept of {name} has ended")
        else:
            print(f"the kernel that is kept of {name} does not end", file=sys.stderr)
            code = Exit.FAILED
    return code


def _stop_run(known: Outline, words: Sequence[str], *, now: bool) -> int:
    run = _to_stop(known, words)
    if run is None or run.record.exit_code is not None or run.record.state == State.LOST:
        print(
            f"run {run.folder.name} has ended ({state_in_words(run.state)})"
            if run
            else "nothing is running"
        )
        return Exit.OK
    silent = run.state == State.LOST
    if silent and run.beat is not None and run.beat.is_here:
        print(f"run {run.folder.name} is lost{run.heard}: nothing is left to stop")
        return Exit.OK
    try:
        heartbeat.ask_to_stop(run.folder, at_once=now)
    except OSError as error:
        message = f"the request to stop cannot be left in the run's folder: {why(error)}"
        raise UsageError(message) from None
    where = f" on {run.beat.host}" if run.beat else ""
    doubt = ", which gives no sign of life," if silent else ""
    print(f"asked run {run.folder.name}{where}{doubt} to stop", flush=True)
    asked = set()
    began, patience = time.monotonic(), _LITTLE if silent else _PATIENCE
    while (
        (now_is := find.again(run)).state == State.RUNNING
        or store.is_held(run.folder)
        or (silent and now_is.record.state == State.RUNNING)
    ):
        if time.monotonic() - began > patience:
            hint = "" if now else "; --now kills its kernels"
            print(f"it has not ended in {seconds_in_words(patience)}{hint}", file=sys.stderr)
            return Exit.FAILED
        for folder in find.to_come(known, now_is):
            # It had ended when it was asked, and its command went on.
            then = store.of_folder(folder)
            if then is not None and then.state == State.RUNNING and folder not in asked:
                asked.add(folder)
                heartbeat.ask_to_stop(folder, at_once=now)
        time.sleep(_LOOK)
    print(f"it has ended: {state_in_words(now_is.state)}{now_is.heard}")
    return Exit.FAILED if now_is.state == State.LOST else Exit.OK


def _to_stop(known: Outline, words: Sequence[str]) -> store.Run | None:
    """Give the run that is to be stopped, if there is one.

    Raises:
        UsageError: a word says nothing possible, or several runs are meant.
    """
    newest = find.newest(known)
    if len(words) == 1 and (run := find.waited_for(known, newest, words[0])) is not None:
        print(f"{words[0]} waits for run {run.folder.name} of the same command")
        return run
    if words:
        return find.chosen("stop", words, known)
    running = [run for run in newest if run.state == State.RUNNING]
    if len(running) > 1:
        names = ", ".join(str(run.record.profile) for run in running)
        message = f"several runs are under way; say which one: {names}"
        raise UsageError(message)
    return running[0] if running else None
