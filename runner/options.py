"""Reads the command line: words, and the options that the command has."""

import argparse
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NoReturn

from . import __version__
from .errors import UsageError
from .project import did_you_mean, then
from .settings import LOG_LEVELS, SettingError, Settings
from .words import BUILD, COMMANDS, Command, command_of

_PROGRAM = "python run.py"
_FLAG: dict[str, Any] = {"action": "store_true"}
_TIME: dict[str, Any] = {"metavar": "TIME"}
_COUNT: dict[str, Any] = {"metavar": "N"}
_SETTINGS = frozenset(one.name for one in fields(Settings))

# Each option once: its flags, what argparse is to know, its help.
OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "help": (("-h", "--help"), _FLAG, "show this help"),
    "version": (("--version",), _FLAG, "show the version"),
    "dry_run": (("-n", "--dry-run"), _FLAG, "say what would be done, and do nothing"),
    "background": (("-b", "--background"), _FLAG, "go on when this terminal is gone"),
    "force": (
        ("-f", "--force"),
        _FLAG,
        "run what is named though it is up to date; a whole profile from nothing",
    ),
    "keep_going": (("-k", "--keep-going"), _FLAG, "go on after a failure"),
    "jobs": (("-j", "--jobs"), _COUNT, "independent stages at once (1)"),
    "parameter": (
        ("-p", "--parameter"),
        {"metavar": "STAGE.NAME=VALUE", "action": "append"},
        "set a parameter: features.degree=1; a text as it stands",
    ),
    "keep": (("--keep",), _COUNT, "keep the newest N runs, and those that the build stands on"),
    "retries": (("--retries",), _COUNT, "try again after a failure of a kernel or of I/O (0)"),
    "timeout": (("--timeout",), _TIME, "limit of a stage: 90 (seconds), 10m, 5h45m"),
    "cell_timeout": (("--cell-timeout",), _TIME, "limit of a cell"),
    "deadline": (("--deadline",), _TIME, "limit of the whole run; the same command goes on later"),
    "warm": (
        ("--cold",),
        {"action": "store_false"},
        "start each kernel by itself, not forked from one that has imported packages",
    ),
    "start_late": (
        ("--start-late",),
        _FLAG,
        "start stages, too, that by earlier runs cannot end before the deadline",
    ),
    "notify": (
        ("--notify",),
        {"metavar": "URL", "action": "append"},
        "tell someone how the run ended (a URL for apprise)",
    ),
    "log_level": (("--log-level",), {"metavar": "LEVEL"}, f"{', '.join(LOG_LEVELS)} (INFO)"),
    "json": (("--json",), _FLAG, "for programs"),
    "follow": (("-f", "--follow"), _FLAG, "show it as it grows; end with the run's exit code"),
    "now": (("--now",), _FLAG, "kill the kernels instead of interrupting them"),
    "mermaid": (("--mermaid",), _FLAG, "as Mermaid draws it, in Markdown"),
    "dot": (("--dot",), _FLAG, "as Graphviz draws it"),
    "install": (("--install",), _FLAG, "have git do it from now on, in this clone"),
    "filter": (("--filter",), _FLAG, "read a notebook, write it without outputs (for git)"),
    "yes": (("--yes",), _FLAG, "do not ask"),
    "runs": (("--runs",), _FLAG, "remove old runs alone, not what stands"),
    "older_than": (("--older-than",), {"metavar": "AGE"}, "remove runs of that age: 30d, 12h"),
    "image": (("--image",), {}, "the image made from the project's Dockerfile"),
    "name": (("--name",), {}, "the Job's name"),
    "cpu": (("--cpu",), _COUNT, "CPUs (2)"),
    "memory": (("--memory",), {"metavar": "SIZE"}, "memory (8Gi)"),
    "gpu": (("--gpu",), _COUNT, "GPUs (0)"),
    "claim": (("--claim",), {"metavar": "VOLUME"}, "the volume that keeps outputs/"),
    "workdir": (("--workdir",), {"metavar": "PATH"}, "a clone of the project on that volume"),
    "user": (
        ("--user",),
        {"metavar": "UID:GID"},
        "the numeric user and group in the pod (1000:100)",
    ),
    "secret": (
        ("--secret",),
        {"metavar": "NAME", "action": "append"},
        "a Secret whose values are environment variables there",
    ),
}
_EVERYWHERE = ("help", "version")

_TARGETS = """\
targets:
  PROFILE         build everything with params/PROFILE.yaml: test, all, …
                  `test` starts from nothing and checks the result
  STAGE           one stage, of the profile named last before it (else all)
  PROFILE-STAGE   one stage of one profile, such as test-data

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
        return {name: value for name, value in self.given.items() if name in _SETTINGS}

    def has(self, name: str) -> bool:
        """Tell whether an option was given."""
        return name in self.given

    def settings(self, base: Settings) -> Settings:
        """Give the project's settings with those of the command line on top.

        Raises:
            UsageError: a value is not of the option's kind.
        """
        for name, value in self.changes.items():
            try:
                base = replace(base, **{name: value})  # type: ignore[arg-type]
            except SettingError as error:
                message = f"{OPTIONS[name][0][-1]}: {error}"
                raise UsageError(message) from None
        return base


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
        flags, details, text = OPTIONS[name]
        parser.add_argument(*flags, dest=name, default=argparse.SUPPRESS, help=text, **details)
    return parser


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; options and words may stand in any order.

    Raises:
        UsageError: it cannot be understood, or has an option that the command has not.
    """
    # `--force STAGE` could not be told from `--force TARGET`, so it is `--force=STAGE`.
    forced = [word for word in arguments if word.startswith("--force=")]
    rest = [word for word in arguments if word not in forced]
    # Which command it is can be told once it is known which words are options' values.
    known = _parser(list(OPTIONS)).parse_known_intermixed_args(rest)[0]
    name = command_of(known.words[0]) if known.words else None
    command = BUILD if name is None else COMMANDS[name]
    parser = _parser([*_EVERYWHERE, *command.options])
    found, strange = parser.parse_known_intermixed_args(rest)
    strange += forced if "force" not in command.options else []
    given = vars(found)
    words = tuple(given.pop("words"))
    chosen = Options(name, words, given, tuple(one.partition("=")[2] for one in forced))
    if strange and not chosen.has("help"):
        raise UsageError(_strange(strange[0], name))
    return chosen


def _strange(text: str, name: str | None) -> str:
    """Say that an option does not go with a command, or is none."""
    flags = {flag for known, *_ in OPTIONS.values() for flag in known}
    # A value may stand right behind a short option, as in `-j3`.
    option = text[:2] if text[:2] in flags else text.partition("=")[0]
    meant = [one for one, (known, *_) in OPTIONS.items() if option in known]
    see = f"see {_PROGRAM} {'--help' if name is None else f'help {name}'}"
    if not meant:
        return then(f"there is no option {option}{did_you_mean(option, (), flags)}", see)
    if name is None:
        having = [each for each, one in COMMANDS.items() if {*meant} & {*one.options}]
        return f"{option} goes with {' and '.join(having)} alone; {see}"
    why = [text for one, text in COMMANDS[name].refused.items() if one in meant]
    return f"{name} takes no {option}{f': {why[0]}' if why else f'; {see}'}"


def told(chosen: Options) -> str | None:
    """Give the text that is asked for by `help`, `--help` or `--version`, if it is.

    Raises:
        UsageError: there is no such command.
    """
    if chosen.has("version"):
        return f"run.py {__version__} (Python {platform.python_version()})"
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
        [*BUILD.options, *_EVERYWHERE],
        f"{_PROGRAM} [OPTIONS] {BUILD.takes}",
        description="Run the project's notebooks in order and keep what they did in outputs/.",
        epilog=_TARGETS + "\n".join(lines),
    )
    return parser.format_help()


def _help_of(name: str) -> str:
    one = COMMANDS[name]
    usage = f"{_PROGRAM} {name} {'[OPTIONS] ' if one.options else ''}{one.takes}"
    names = [*one.options, *_EVERYWHERE]
    return _parser(names, usage.strip(), description=f"{one.summary}.").format_help()
