"""The table of options, each once, and the parser, the help and a Job's command made from it."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from .. import __version__
from ..errors import UsageError
from ..model import LOG_LEVELS
from ..words import did_you_mean, then
from .commands import BUILD, COMMANDS, Command, command_of

if TYPE_CHECKING:
    from ..project import Settings

_PROGRAM = "python run.py"
# A build, among the commands that have an option.
_BUILD = "build"


@dataclass(frozen=True)
class Option:
    """An option of `run.py`.

    `commands` are those that have it (`build` for targets alone); `value` is what stands for its
    value in the help, None for a flag. One that is given `many` times is a list; a flag with
    `turns_off` sets False. One that can stand in pyproject.toml is a field of `Settings`, too;
    `handed_on` ones go on into the command of a Job.
    """

    flags: tuple[str, ...]
    help: str
    commands: tuple[str, ...]
    value: str | None = None
    many: bool = False
    turns_off: bool = False
    in_pyproject: bool = False
    handed_on: bool = False

    @property
    def details(self) -> dict[str, Any]:
        """What argparse is to know."""
        if self.value is None:
            return {"action": "store_false" if self.turns_off else "store_true"}
        return {"metavar": self.value, **({"action": "append"} if self.many else {})}


_BUILD_AND_JOB = (_BUILD, "job")
_ALL_THAT_BUILD = (*_BUILD_AND_JOB, "watch")

# Each option once, under the name that its value has.
OPTIONS: dict[str, Option] = {
    "dry_run": Option(
        ("-n", "--dry-run"),
        "say what would be done, and do nothing",
        (_BUILD, "accept", "tidy", "clean"),
    ),
    "background": Option(("-b", "--background"), "go on when this terminal is gone", (_BUILD,)),
    "force": Option(
        ("-f", "--force"),
        "run what is named though it is up to date; a whole profile from nothing",
        (_BUILD,),
        in_pyproject=True,
    ),
    "keep_going": Option(
        ("-k", "--keep-going"),
        "go on after a failure",
        _ALL_THAT_BUILD,
        in_pyproject=True,
        handed_on=True,
    ),
    "jobs": Option(
        ("-j", "--jobs"),
        "independent stages at once (1)",
        _ALL_THAT_BUILD,
        "N",
        in_pyproject=True,
        handed_on=True,
    ),
    "parameter": Option(
        ("-p", "--parameter"),
        "set a parameter: features.degree=1; a text as it stands; several: each:1,2,3",
        (*_ALL_THAT_BUILD, "list", "status", "graph", "check", "lab"),
        "STAGE.NAME=VALUE",
        many=True,
        handed_on=True,
    ),
    "keep": Option(
        ("--keep",),
        "keep the newest N runs, and those that the build stands on",
        _ALL_THAT_BUILD,
        "N",
        in_pyproject=True,
        handed_on=True,
    ),
    "keep_outputs": Option(
        ("--keep-outputs",),
        "keep outputs of up to this size in the run's folder: 1M, 500k, 0 (1M)",
        _ALL_THAT_BUILD,
        "SIZE",
        in_pyproject=True,
        handed_on=True,
    ),
    "keep_failed": Option(
        ("--keep-failed",),
        "keep the kernel of a stage that fails so long, for debug: 30m, 1h",
        (_BUILD,),
        "TIME",
        in_pyproject=True,
    ),
    "retries": Option(
        ("--retries",),
        "try again after a failure of a kernel or of I/O (0)",
        _ALL_THAT_BUILD,
        "N",
        in_pyproject=True,
        handed_on=True,
    ),
    "timeout": Option(
        ("--timeout",),
        "limit of a stage: 90 (seconds), 10m, 5h45m",
        _ALL_THAT_BUILD,
        "TIME",
        in_pyproject=True,
        handed_on=True,
    ),
    "cell_timeout": Option(
        ("--cell-timeout",),
        "limit of a cell",
        _ALL_THAT_BUILD,
        "TIME",
        in_pyproject=True,
        handed_on=True,
    ),
    # A Job gets it as a variable, since it counts from the first start of its pod.
    "deadline": Option(
        ("--deadline",),
        "limit of the whole run; the same command goes on later",
        _BUILD_AND_JOB,
        "TIME",
        in_pyproject=True,
    ),
    "warm": Option(
        ("--cold",),
        "start each kernel by itself, not forked from one that has imported packages",
        _ALL_THAT_BUILD,
        turns_off=True,
        in_pyproject=True,
        handed_on=True,
    ),
    "start_late": Option(
        ("--start-late",),
        "start stages, too, that by earlier runs cannot end before the deadline",
        _BUILD_AND_JOB,
        in_pyproject=True,
        handed_on=True,
    ),
    "notify": Option(
        ("--notify",),
        "tell someone how the run ended (a URL for apprise)",
        (_BUILD,),
        "URL",
        many=True,
        in_pyproject=True,
    ),
    "pages": Option(
        ("--pages",),
        "make pages of the run at its end, for a browser",
        _BUILD_AND_JOB,
        in_pyproject=True,
        handed_on=True,
    ),
    "log_level": Option(
        ("--log-level",),
        f"{', '.join(LOG_LEVELS)} (INFO)",
        (*_ALL_THAT_BUILD, "check"),
        "LEVEL",
        in_pyproject=True,
        handed_on=True,
    ),
    "where": Option(
        ("--where",),
        "only the points with this value, and what they need: degree=2",
        _ALL_THAT_BUILD,
        "AXIS=VALUE",
        many=True,
        handed_on=True,
    ),
    "points": Option(("--sample",), "only N of the points, taken at random", (_BUILD,), "N"),
    "seed": Option(("--seed",), "take others at random (0)", (_BUILD,), "S"),
    "order": Option(
        ("--order",),
        "breadth: all points of a stage before the next one; depth: each chain to its end (depth)",
        _ALL_THAT_BUILD,
        "ORDER",
        handed_on=True,
    ),
    "variant": Option(
        ("--name",),
        "build beside the profile, in outputs/PROFILE+NAME/ (each: does so by itself)",
        (_BUILD,),
        "NAME",
    ),
    "json": Option(("--json",), "for programs", ("status", "diff")),
    "sort": Option(
        ("--sort",), "by a metric or parameter; -NAME: the largest first", ("table",), "NAME"
    ),
    "csv": Option(("--csv",), "all of it, for programs", ("table",)),
    "over": Option(
        ("--over",),
        "of points: mean and spread over an axis, such as seed",
        ("table",),
        "AXIS",
        many=True,
    ),
    "of_runs": Option(("--runs",), "a line for each run, where there are points", ("table",)),
    "last": Option(("--last",), "the newest N runs", ("table",), "N"),
    "follow": Option(
        ("-f", "--follow"), "show it as it grows; end with the run's exit code", ("log",)
    ),
    "html": Option(("--html",), "a page that stands alone", ("diff",), "FILE"),
    "single": Option(
        ("--single",), "one page of a run that stands alone, for mail or Jupyter", ("show",), "FILE"
    ),
    "profile": Option(("--profile",), "the profile", ("lab", "debug"), "PROFILE"),
    "lab": Option(("--lab",), "in JupyterLab, with the kernel there", ("debug",)),
    "no_lab": Option(
        ("--no-lab",),
        "install a kernel for a Jupyter that runs already, and start none",
        ("lab",),
    ),
    "remove": Option(("--remove",), "take the kernels of --no-lab away again", ("lab",)),
    "now": Option(("--now",), "kill the kernels instead of interrupting them", ("stop",)),
    "mermaid": Option(("--mermaid",), "as Mermaid draws it, in Markdown", ("graph",)),
    "dot": Option(("--dot",), "as Graphviz draws it", ("graph",)),
    "install": Option(("--install",), "have git do it from now on, in this clone", ("tidy",)),
    "filter": Option(
        ("--filter",), "read a notebook, write it without outputs (for git)", ("tidy",)
    ),
    "yes": Option(
        ("--yes",), "do not ask; build more than 10,000 points", (_BUILD, "accept", "clean")
    ),
    "runs": Option(("--runs",), "remove old runs alone, not what stands", ("clean",)),
    "older_than": Option(("--older-than",), "remove runs of that age: 30d, 12h", ("clean",), "AGE"),
    "image": Option(
        ("--image",), "the image made from the project's Dockerfile", ("job",), "IMAGE"
    ),
    "name": Option(("--name",), "the Job's name", ("job",), "NAME"),
    "cpu": Option(("--cpu",), "CPUs (2)", ("job",), "N"),
    "memory": Option(("--memory",), "memory (8Gi)", ("job",), "SIZE"),
    "gpu": Option(("--gpu",), "GPUs (0)", ("job",), "N"),
    "claim": Option(("--claim",), "the volume that keeps outputs/", ("job",), "VOLUME"),
    "workdir": Option(("--workdir",), "a clone of the project on that volume", ("job",), "PATH"),
    "user": Option(
        ("--user",), "the numeric user and group in the pod (1000:100)", ("job",), "UID:GID"
    ),
    "secret": Option(
        ("--secret",),
        "a Secret whose values are environment variables there",
        ("job",),
        "NAME",
        many=True,
    ),
    "upgrade": Option(("--upgrade",), "bring this runner into an older project", ("new",)),
    "reads": Option(
        ("--reads",), "a stage, or a file, that the new stage reads", ("new",), "NAME", many=True
    ),
    "from": Option(("--from",), "begin with the notebooks of a folder", ("new",), "FOLDER"),
    "write": Option(
        ("--write",), "write it, once it has built in a copy of the project", ("adopt",)
    ),
    "sample": Option(
        ("--sample",), "make test data of the first N rows of what is read", ("adopt",), "N"
    ),
    "help": Option(("-h", "--help"), "show this help", (_BUILD, *COMMANDS)),
    "version": Option(("--version",), "show the version", (_BUILD, *COMMANDS)),
}

_TARGETS = """\
targets:
  PROFILE         build everything with params/PROFILE.yaml: test, all, …
                  `test` starts from nothing and checks the result
  STAGE           one stage, of the profile named last before it (else all)
  PROFILE-STAGE   one stage of one profile, such as test-data
  'STAGE[degree=2]'  a stage at a point of its axes

--force=STAGE runs that stage, and what else is out of date

commands (python run.py help COMMAND tells more):
"""


@dataclass(frozen=True)
class Options:
    """What stands on the command line.

    `name` is that of the command, None for a build; `words` are all words, the command's own
    among them; `given` are the options by name; `forced` is what `--force=STAGE` names.
    """

    name: str | None
    words: tuple[str, ...]
    given: Mapping[str, Any]
    forced: tuple[str, ...] = ()

    @property
    def command(self) -> Command:
        """What the table says of the command."""
        return BUILD if self.name is None else COMMANDS[self.name]

    @property
    def rest(self) -> tuple[str, ...]:
        """The words after the command's name."""
        return self.words[1:]

    @property
    def parameters(self) -> tuple[str, ...]:
        """What `-p` sets."""
        return tuple(self.given.get("parameter", ()))

    @property
    def changes(self) -> dict[str, object]:
        """The options that are settings."""
        return {name: value for name, value in self.given.items() if OPTIONS[name].in_pyproject}

    def has(self, name: str) -> bool:
        """Tell whether an option was given."""
        return name in self.given

    def settings(self, base: "Settings") -> "Settings":
        """Give the project's settings with those of the command line on top.

        Raises:
            UsageError: a value is not of the option's kind.
        """
        from ..project import SettingError  # noqa: PLC0415 - not for --help

        for name, value in self.changes.items():
            try:
                base = replace(base, **{name: value})  # type: ignore[arg-type]
            except SettingError as error:
                message = f"{OPTIONS[name].flags[-1]}: {error}"
                raise UsageError(message) from None
        return base


def of_command(command: str | None) -> list[str]:
    """Give the names of the options that a command has, or a build."""
    wanted = _BUILD if command is None else command
    return [name for name, one in OPTIONS.items() if wanted in one.commands]


def handed_on(given: Mapping[str, Any]) -> Iterator[str]:
    """Write options as a command line does, those that a Job's command gets."""
    for name, value in given.items():
        option = OPTIONS[name]
        for each in value if option.many else (value,):
            if option.handed_on:
                yield option.flags[-1]
                yield from () if option.value is None else (str(each),)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        message = f"{message}; see {_PROGRAM} --help"
        raise UsageError(message)


def _parser(names: Sequence[str], usage: str = "", **texts: str) -> _Parser:
    """Make a parser that knows some options."""
    parser = _Parser(
        usage=usage,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
        # `-f` is another option for `log` than for a build.
        conflict_handler="resolve",
        **texts,  # type: ignore[arg-type]
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    for name in names:
        one = OPTIONS[name]
        parser.add_argument(
            *one.flags, dest=name, default=argparse.SUPPRESS, help=one.help, **one.details
        )
    return parser


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; options and words may stand in any order.

    Raises:
        UsageError: it cannot be understood, or has an option that the command has not.
    """
    # `--force STAGE` could not be told from `--force TARGET`, so it is `--force=STAGE`.
    forced = [word for word in arguments if word.startswith("--force=")]
    rest = list(_joined(word for word in arguments if word not in forced))
    # Which command it is can be told once it is known which words are options' values.
    known = _parser(list(OPTIONS)).parse_known_intermixed_args(rest)[0]
    name = command_of(known.words[0]) if known.words else None
    having = of_command(name)
    parser = _parser(having)
    found, strange = parser.parse_known_intermixed_args(rest)
    strange += forced if "force" not in having else []
    given = vars(found)
    words = tuple(given.pop("words"))
    chosen = Options(name, words, given, tuple(one.partition("=")[2] for one in forced))
    if strange and not chosen.has("help"):
        raise UsageError(_strange(strange[0], name))
    return chosen


def _joined(words: Iterable[str]) -> Iterator[str]:
    """Have `--sort -NAME` be one word: to argparse the name would be an option."""
    before = None
    for word in words:
        if before == "--sort" and word.startswith("-") and not word.startswith("--"):
            before = f"{before}={word}"
            continue
        if before is not None:
            yield before
        before = word
    if before is not None:
        yield before


def _strange(text: str, name: str | None) -> str:
    """Say that an option does not go with a command, or is none."""
    flags = {flag for one in OPTIONS.values() for flag in one.flags}
    # A value may stand right behind a short option, as in `-j3`.
    option = text[:2] if text[:2] in flags else text.partition("=")[0]
    meant = [name for name, one in OPTIONS.items() if option in one.flags]
    see = f"see {_PROGRAM} {'--help' if name is None else f'help {name}'}"
    if not meant:
        return then(f"there is no option {option}{did_you_mean(option, (), flags)}", see)
    if name is None:
        having = [each for each in COMMANDS if {*meant} & {*of_command(each)}]
        return f"{option} goes with {' and '.join(having)} alone; {see}"
    why = [text for one, text in COMMANDS[name].refused.items() if one in meant]
    return f"{name} takes no {option}{f': {why[0]}' if why else f'; {see}'}"


def told(chosen: Options) -> str | None:
    """Give the text that is asked for by `help`, `--help` or `--version`, if it is.

    Raises:
        UsageError: there is no such command.
    """
    if chosen.has("version"):
        return f"run.py {__version__} (Python {sys.version.split()[0]})"
    if chosen.name == "help" and chosen.rest:
        word = chosen.rest[0]
        name = command_of(word)
        if name is None:
            message = f"there is no command `{word}`{did_you_mean(word, COMMANDS)}"
            raise UsageError(message)
        return _help_of(name)
    if chosen.name == "help" or (chosen.has("help") and chosen.name is None):
        return help_text()
    return _help_of(chosen.name) if chosen.has("help") and chosen.name else None


def help_text() -> str:
    """Write what there is: targets, commands, and the options of a build."""
    width = max(len(f"{name} {one.takes}") for name, one in COMMANDS.items() if name != "job")
    lines = [f"  {f'{name} {one.takes}':<{width}}  {one.summary}" for name, one in COMMANDS.items()]
    parser = _parser(
        of_command(None),
        f"{_PROGRAM} [OPTIONS] {BUILD.takes}",
        description="Run the project's notebooks in order and keep what they did in outputs/.",
        epilog=_TARGETS + "\n".join(lines),
    )
    return parser.format_help()


def _help_of(name: str) -> str:
    one = COMMANDS[name]
    names = of_command(name)
    options = "[OPTIONS] " if len(names) > len(of_command("help")) else ""
    usage = f"{_PROGRAM} {name} {options}{one.takes}"
    return _parser(names, usage.strip(), description=f"{one.summary}.").format_help()
