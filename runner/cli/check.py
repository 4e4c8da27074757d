"""`check`: look for mistakes in all profiles; compare the test build if there is one."""

import os

from ..build import verdict
from ..console import Log, console
from ..errors import Exit, ProjectError, UsageError
from ..model import BuildKey
from ..project import TEST_PROFILE, Project, Settings, bind, dotenv, packages, remarks, syntax
from ..words import counted
from .options import Options


def check(loaded: Project, settings: Settings, chosen: Options) -> int:
    """Say whether there are mistakes, and whether the test build is as expected.

    Raises:
        UsageError: there are words that say nothing.
        ProjectError: there are mistakes.
    """
    if chosen.rest:
        message = f"check takes no further words, not `{chosen.rest[0]}`"
        raise UsageError(message)
    bound = bind(loaded, list(loaded.profiles), chosen.parameters)
    orders = [[stage.notebook for stage in one.stages.values()] for one in bound.values()]
    missing = [problem for order in orders for problem in packages.missing(loaded, order)]
    # A cell may be left out in one profile.
    wrong = [problem for order in orders for problem in syntax.mistakes(loaded, order)]
    if wrong or missing:
        raise ProjectError([*dict.fromkeys([*wrong, *missing])])
    mask = dotenv.mask(loaded.root, os.environ, settings.secrets)
    with console() as shown:
        log = Log(shown, settings.log_level, mask)
        for level, text in remarks.of_project(loaded):
            log.say(text, "check", level)
        if full := [one.label for one in loaded.notebooks.values() if one.has_outputs]:
            words = f"saved with outputs: {', '.join(full)}; python run.py tidy takes them out"
            log.say(words, "check")
        stages = counted(len(loaded.notebooks), "stage")
        profiles = counted(len(loaded.profiles), "profile")
        log.say(f"no mistakes in {stages} and {profiles}", "check")
        if loaded.build(BuildKey(TEST_PROFILE)).is_dir():
            made = bound[TEST_PROFILE].outputs if TEST_PROFILE in bound else []
            return verdict.check(loaded, settings, log, made)
        log.say("there is no test build to compare; python run.py test makes it", "check")
    return Exit.OK
