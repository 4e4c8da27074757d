"""The command line's words and options."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from .errors import UsageError
from .settings import LOG_LEVELS, SettingError, Settings

_USAGE = "python run.py [OPTIONS] TARGET…"

_OF_JOB = ("image", "name", "cpu", "memory", "gpu", "claim", "workdir", "user", "secret")

_EPILOG = """\
targets:
  PROFILE         build everything with params/PROFILE.yaml: test, all, …
                  `test` starts from nothing and checks the result
  STAGE           one stage, of the profile named last before it (else all)
  PROFILE-STAGE   one stage of one profile, such as test-data

commands:
  list [PROFILE]      the stages in order: what each reads, writes and takes
  status [PROFILE or RUN]
                      what is up to date, what not and why, what is running
                      (--json: for programs)
  history [PROFILE]   the runs: when, how long, how they ended, what ran
  log [-f] [PROFILE or RUN] [STAGE]
                      the log of the newest run, or of that one, or as it grows,
                      with the run's exit code in the end
  stop [--now] [PROFILE or RUN]
                      end a run in good order, from any host that sees it
  job TARGET… --image IMAGE
                      print a Kubernetes Job for it, for kubectl apply -f -
                      (--name N, --cpu 4, --memory 16Gi, --gpu 1, --claim VOLUME,
                      --workdir PATH, --user 1000:100, --secret NAME)
  check               look for mistakes in the project, compare the test build
  clean               remove what was built (clean-PROFILE: of one profile)
"""


@dataclass(frozen=True)
class Options:
    """What stands on the command line, beside the settings."""

    words: tuple[str, ...]
    dry_run: bool
    background: bool
    json: bool
    now: bool
    job: Mapping[str, object]
    parameters: tuple[str, ...]
    forced: tuple[str, ...]
    changes: dict[str, object]

    def settings(self, base: Settings) -> Settings:
        """Give the project's settings with those of the command line on top.

        Raises:
            UsageError: a value is not of the option's kind.
        """
        for name, value in self.changes.items():
            try:
                base = replace(base, **{name: value})  # type: ignore[arg-type]
            except SettingError as error:
                message = f"--{name.replace('_', '-')}: {error}"
                raise UsageError(message) from None
        return base


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        message = f"{message}; see python run.py --help"
        raise UsageError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="run.py",
        usage=_USAGE,
        description="Run the project's notebooks in order and keep what they did in outputs/.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("words", nargs="*", metavar="TARGET", help=argparse.SUPPRESS)
    add("-n", "--dry-run", action="store_true", help="say what would run, and why")
    add("-b", "--background", action="store_true", help="go on when this terminal is gone")
    add("--json", action="store_true", help=argparse.SUPPRESS)
    add("--now", action="store_true", help=argparse.SUPPRESS)
    for name in _OF_JOB:
        action = "append" if name == "secret" else "store"
        add(f"--{name}", action=action, dest=f"job_{name}", help=argparse.SUPPRESS)
    add(
        "-f",
        "--force",
        action="store_true",
        default=None,
        help="run what is named though it is up to date; a whole profile from nothing",
    )
    add("-k", "--keep-going", action="store_true", default=None, help="go on after a failure")
    add("-j", "--jobs", metavar="N", help="independent stages at once (1)")
    add(
        *("-p", "--parameter"),
        action="append",
        default=[],
        metavar="STAGE.NAME=VALUE",
        help="set a parameter, such as features.degree=1",
    )
    add("--keep", metavar="N", help="keep the newest N runs, and those that the build stands on")
    add("--retries", metavar="N", help="try again after a failure of a kernel or of I/O (0)")
    add("--timeout", metavar="TIME", help="limit of a stage: 90 (seconds), 10m, 5h45m")
    add("--cell-timeout", metavar="TIME", help="limit of a cell")
    add("--deadline", metavar="TIME", help="limit of the whole run; it can be resumed")
    add(
        *("--cold",),
        dest="warm",
        action="store_false",
        default=None,
        help="start each kernel by itself, not forked from one that has imported packages",
    )
    add(
        "--start-late",
        action="store_true",
        default=None,
        help="start stages that by earlier runs cannot end before the deadline",
    )
    add("--notify", metavar="URL", action="append", help="tell someone how it ended (apprise)")
    add("--log-level", metavar="LEVEL", help=f"{', '.join(LOG_LEVELS)} (INFO)")
    return parser


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; options and targets may stand in any order.

    Raises:
        UsageError: it cannot be understood.
        SystemExit: `--help` was asked for, and printed.
    """
    parser = _parser()
    # `--force STAGE` could not be told from `--force TARGET`, so it is `--force=STAGE`.
    forced = [word.partition("=")[2] for word in arguments if word.startswith("--force=")]
    rest = [word for word in arguments if not word.startswith("--force=")]
    found = vars(parser.parse_intermixed_args(rest))
    words = tuple(found.pop("words"))
    if not words:
        parser.print_help()
        message = "no target given"
        raise UsageError(message)
    parameters = tuple(found.pop("parameter"))
    flags = {name: found.pop(name) for name in ("dry_run", "background", "json", "now")}
    job = {name: value for name in _OF_JOB if (value := found.pop(f"job_{name}")) is not None}
    given = [("json", "status")] * flags["json"] + [("now", "stop")] * flags["now"]
    for name, verb in [*given, *((name, "job") for name in job)]:
        if words[0] != verb:
            message = f"--{name} goes with {verb} alone; see python run.py --help"
            raise UsageError(message)
    changes = {name: value for name, value in found.items() if value is not None}
    return Options(
        words=words,
        parameters=parameters,
        forced=tuple(forced),
        changes=changes,
        job=job,
        **flags,
    )
