"""The table of commands: what each is called, takes, does, and which options it has."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# What a build may be told, and `job` hands on to one.
_HANDED_ON = (
    *("keep_going", "jobs", "parameter", "keep", "retries", "timeout", "cell_timeout"),
    *("deadline", "warm", "start_late", "log_level"),
)
_OF_JOB = ("image", "name", "cpu", "memory", "gpu", "claim", "workdir", "user", "secret")


@dataclass(frozen=True)
class Command:
    """A command of `run.py`.

    `takes` are the words after its name, `options` the names of those that it has (see
    `options.OPTIONS`), `work` is the function that carries it out, as `module:function`.
    `refused` says of options that one might try why it has not got them. A command that changes
    what is there is not meant by its bare word where a stage has its name: `spelt` is then
    how to write it.
    A `lenient` one works whatever mistakes the project has at the moment.
    """

    takes: str
    summary: str
    work: str
    options: tuple[str, ...] = ()
    lenient: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    spelt: str | None = None


BUILD = Command(
    "TARGET…", "build targets", "", ("dry_run", "background", "force", *_HANDED_ON, "notify")
)

COMMANDS = {
    "list": Command(
        "[PROFILE…]",
        "the stages in order: what each reads, writes and takes",
        "reports:stages",
        ("parameter",),
    ),
    "status": Command(
        "[PROFILE or RUN…]",
        "what is up to date, what not and why, what is running",
        "standing:status",
        ("parameter", "json"),
        lenient=True,
    ),
    "history": Command(
        "[PROFILE…]", "the runs: when, how long, how they ended, what ran", "reports:history"
    ),
    "log": Command(
        "[PROFILE or RUN] [STAGE]",
        "the log of the newest run, or of the one that is named",
        "following:log",
        ("follow",),
        lenient=True,
    ),
    "stop": Command(
        "[PROFILE or RUN]",
        "end a run in good order, from any host that sees it",
        "following:stop",
        ("now",),
        lenient=True,
        spelt="stop PROFILE",
    ),
    "job": Command(
        "TARGET… --image IMAGE",
        "print a Kubernetes Job for it, for kubectl apply -f -",
        "manifest:command",
        (*_OF_JOB, *_HANDED_ON),
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
        "reports:graph",
        ("parameter", "mermaid", "dot"),
    ),
    "check": Command(
        "",
        "look for mistakes in the project, compare the test build",
        "commands:check",
        ("parameter", "log_level"),
    ),
    "accept": Command(
        "[FILE…]",
        "what test built becomes what is expected, in testdata/expected/",
        "accepting:accept",
        ("dry_run", "yes"),
        spelt="accept --yes",
    ),
    "tidy": Command(
        "[STAGE…]",
        "take outputs out of the source notebooks",
        "tidy:tidy",
        ("dry_run", "install", "filter"),
        lenient=True,
        spelt="tidy notebooks/*.ipynb",
    ),
    "clean": Command(
        "",
        "remove what was built (clean-PROFILE: of one profile), or old runs",
        "cleaning:clean",
        ("dry_run", "yes", "runs", "older_than"),
        lenient=True,
        spelt="clean --yes",
    ),
    "help": Command("[COMMAND]", "say what a command does, and its options", "", lenient=True),
}
# Commands that take the profile into their word, such as clean-test.
_WITH_PROFILE = ("clean",)


def command_of(word: str) -> str | None:
    """Give the name of the command that a first word means; None is a target."""
    found = (name for name in _WITH_PROFILE if word.startswith(f"{name}-"))
    return word if word in COMMANDS else next(found, None)
