"""The table of commands: what each is called, takes and does (options: see `options`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Command:
    """A command of `run.py`.

    `takes` are the words after its name, `work` is the function that carries it out, as
    `module:function`.
    `refused` says of options that one might try why it has not got them. A command that changes
    what is there is not meant by its bare word where a stage has its name: `spelt` is then
    how to write it.
    What it is called with is the project's names and the options; one that `builds` gets the
    whole line, too, and what runs stages.
    A `lenient` one works whatever mistakes the project has at the moment.
    """

    takes: str
    summary: str
    work: str
    lenient: bool = False
    builds: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    spelt: str | None = None


BUILD = Command("TARGET…", "build targets", "")

COMMANDS = {
    "list": Command(
        "[PROFILE…]",
        "the stages in order: what each reads, writes and takes",
        "list:stages",
    ),
    "status": Command(
        "[PROFILE or RUN…]",
        "what is up to date, what not and why, what is running",
        "status:status",
        lenient=True,
    ),
    "history": Command(
        "[PROFILE…]",
        "the runs: when, how long, how they ended, what ran",
        "history:history",
        lenient=True,
    ),
    "diff": Command(
        "[A] [B]",
        "what differs between two profiles or runs; of one, since the run before",
        "diff:diff",
        lenient=True,
    ),
    "table": Command(
        "[PROFILE…]",
        "a line for each run, or for each point of a profile with several values: metrics",
        "table:table",
        lenient=True,
    ),
    "log": Command(
        "[PROFILE or RUN] [STAGE]",
        "the log of the newest run, or of the one that is named",
        "log:log",
        lenient=True,
    ),
    "show": Command(
        "[PROFILE or RUN]",
        "make pages of what the runs left, and open them",
        "show:show",
        lenient=True,
    ),
    "watch": Command(
        "[TARGET…]",
        "build (test), and again whenever a source is saved, with all still warm",
        "watch:watch",
        lenient=True,
        builds=True,
        refused={
            "force": "only its first round builds from nothing, and that of `test` alone",
            "background": "it serves the terminal that it was started on",
            "dry_run": "it builds what it says",
            "deadline": "it ends when you end it",
            "notify": "it tells you here",
        },
    ),
    "lab": Command(
        "[STAGE]",
        "JupyterLab, where a stage gets what it would get in a profile (test)",
        "lab:lab",
        lenient=True,
    ),
    "debug": Command(
        "[STAGE]",
        "back to the failing cell of a run, in a console with its variables",
        "debug:debug",
        lenient=True,
    ),
    "stop": Command(
        "[PROFILE or RUN]",
        "end a run in good order, from any host that sees it",
        "stop:stop",
        lenient=True,
        spelt="stop PROFILE",
    ),
    "job": Command(
        "TARGET… --image IMAGE",
        "print a Kubernetes Job for it, for kubectl apply -f -",
        "job:command",
        refused={
            "force": "each restart would begin anew",
            "notify": (
                "the URL would stand in the Job; put RUN_NOTIFY into the Secret that --secret names"
            ),
            "background": "it prints, and runs nothing",
            "dry_run": "it prints, and runs nothing",
        },
    ),
    "graph": Command(
        "[PROFILE]",
        "the stages as a tree: what each needs",
        "graph:graph",
    ),
    "check": Command(
        "",
        "look for mistakes in the project, compare the test build",
        "check:check",
    ),
    "accept": Command(
        "[FILE…]",
        "what test built becomes what is expected, in testdata/expected/",
        "accept:accept",
        spelt="accept --yes",
    ),
    "tidy": Command(
        "[STAGE…]",
        "take outputs out of the source notebooks",
        "tidy:tidy",
        lenient=True,
        spelt="tidy notebooks/*.ipynb",
    ),
    "clean": Command(
        "",
        "remove what was built (clean-PROFILE: of one profile), or old runs",
        "clean:clean",
        lenient=True,
        spelt="clean --yes",
    ),
    "new": Command(
        "FOLDER or STAGE",
        "begin a project; in a project, a stage: a notebook to fill in",
        "new:new",
        lenient=True,
    ),
    "adopt": Command(
        "PATH…",
        "turn notebooks that exist into stages: show how, and what cannot be",
        "adopt:adopt",
        lenient=True,
    ),
    "help": Command("[COMMAND]", "say what a command does, and its options", "", lenient=True),
}
# Commands that take the profile into their word, such as clean-test.
_WITH_PROFILE = ("clean",)
# No profile is called so, or begins so; one that ends in a dash is a beginning.
RESERVED = (*COMMANDS, *(f"{name}-" for name in _WITH_PROFILE))


def command_of(word: str) -> str | None:
    """Give the name of the command that a first word means; None is a target."""
    found = (name for name in _WITH_PROFILE if word.startswith(f"{name}-"))
    return word if word in COMMANDS else next(found, None)
