"""`adopt`: turn notebooks that exist into stages."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import Exit, UsageError
from ..execution import LocalExecutor
from ..jupyter import adopt as adoption
from ..project import Outline
from ..system import why
from ..words import counted
from .options import Options

_MOST = 40


def adopt(known: Outline, chosen: Options) -> int:
    """Show what notebooks would be as stages; with `--write` write it, once it has built.

    Raises:
        UsageError: there are none, one does not run, or a file cannot be written.
    """
    if not chosen.rest:
        message = "adopt takes notebooks, or folders of some: python run.py adopt ."
        raise UsageError(message)
    try:
        return carry_out(
            known.root, chosen.rest, writes=chosen.has("write"), keeps=True, rows=_rows(chosen)
        )
    except OSError as error:
        raise UsageError(why(error)) from None


def carry_out(
    root: Path, words: Sequence[str], *, writes: bool, keeps: bool, rows: int | None = None
) -> int:
    """Adopt notebooks of a project, and tell; with `keeps` the originals stay beside.

    Raises:
        UsageError: there are none, or one does not run.
    """
    with adoption.adopt(root, words, LocalExecutor, print, rows) as made:
        if not writes:
            for text in made.diffs():
                print(text)
        notes = made.notes()
        if notes:
            print(f"{counted(len(notes), 'thing')} for you to look at:")
            for note in notes[:_MOST]:
                print(f"  {note}")
            if len(notes) > _MOST:
                print(f"  and {len(notes) - _MOST} more")
        print(adoption.summary(made))
        if not writes:
            print("nothing was written; --write does it, after trying it in a copy")
            return Exit.OK
        return _write(root, made, keeps=keeps, test=rows is not None)


def _write(root: Path, made: adoption.Adoption, *, keeps: bool, test: bool) -> int:
    proof = adoption.prove(made, test=test)
    if not proof.built:
        print(proof.log)
        more = "; mend what is named above, then adopt again" if made.notes() else ""
        print(f"in a copy of the project these stages did not build, so nothing was written{more}")
        return Exit.FAILED
    adoption.write(made, root, keeps=keeps)
    if keeps:
        originals = counted(len(made.aside), "original")
        print(f"written; {originals} kept beside, as *.orig: delete them when you like")
    for line in proof.differences:
        print(f"differs: {line}")
    same = proof.compared - len({line.partition(":")[0] for line in proof.differences})
    print(
        f"built from nothing in a copy: {same} of {counted(proof.compared, 'file')} as the "
        "notebooks made them"
    )
    if proof.again:
        print(f"a second build would run again: {', '.join(proof.again)}")
    else:
        print("a second build has nothing to do")
    return Exit.DIFFERENT if proof.differences or proof.again else Exit.OK


def _rows(chosen: Options) -> int | None:
    if not chosen.has("sample"):
        return None
    text = str(chosen.given["sample"])
    if not text.isdecimal() or not int(text):
        message = f"--sample {text}: write how many rows, such as --sample 20"
        raise UsageError(message)
    return int(text)
