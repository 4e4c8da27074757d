"""Words on the command line -> stages of profiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from ..errors import UsageError
from ..model import BuildKey
from ..words import did_you_mean, then
from .layout import DEFAULT_PROFILE, TEST_PROFILE, Project
from .naming import FOLDER, stage_name


@dataclass(frozen=True)
class Selection:
    """What is asked of one profile.

    `named` are the notebooks that stand on the line (all of them for a whole profile); `points`
    has the points of those of which only some are meant, as in `model[degree=2]`.
    """

    profile: str
    named: tuple[str, ...]
    whole: bool
    points: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def from_scratch(self) -> bool:
        """Whether this is `test`, which always starts from nothing and is checked."""
        return self.whole and self.profile == TEST_PROFILE


def select(words: Sequence[str], project: Project) -> tuple[Selection, ...]:
    """Read targets from left to right; each profile is built once, in the order named.

    A bare stage belongs to the profile that the words before it named last, else to
    `all`.

    Raises:
        UsageError: a word is no target here.
    """
    named: dict[str, list[str]] = {}
    points: dict[str, dict[str, list[str]]] = {}
    whole: set[str] = set()
    profile = DEFAULT_PROFILE
    for given in words:
        stage: str | None
        word, point = _point(given)
        if word in project.profiles:
            profile, stage = word, None
            whole.add(profile)
        elif (stage := project.stage(word)) is not None:
            if profile not in project.profiles:
                message = (
                    f"`{word}` belongs to the profile `{profile}`, and there is no "
                    f"params/{profile}.yaml; write PROFILE-{stage}"
                )
                raise UsageError(message)
        else:
            profile, stage = _pair(word, project)
        if point is not None and stage is None:
            message = f"`{given}`: {word} is a profile; write STAGE[{point}], or --where {point}"
            raise UsageError(message)
        named.setdefault(profile, [])
        some = points.setdefault(profile, {})
        if stage is not None and stage not in named[profile]:
            named[profile].append(stage)
            some[stage] = [] if point is None else [point]
        elif stage is not None and (point is None or some[stage]):
            some[stage] = [] if point is None else [*some[stage], point]
    return tuple(
        Selection(name, tuple(project.notebooks), whole=True)
        if name in whole
        else Selection(
            name,
            tuple(stages),
            whole=False,
            points={stage: tuple(some) for stage, some in points[name].items() if some},
        )
        for name, stages in named.items()
    )


def _point(word: str) -> tuple[str, str | None]:
    """Split `model[degree=2]` into the word and its point."""
    head, bracket, rest = word.partition("[")
    is_one = bool(head) and bool(bracket) and rest.endswith("]") and "=" in rest
    return (head, rest[:-1]) if is_one else (word, None)


def _pair(word: str, project: Project) -> tuple[str, str]:
    for profile in project.profiles:
        rest = word.removeprefix(f"{profile}-")
        stage = project.stage(rest) if rest != word else None
        if stage is not None:
            return profile, stage
    raise UsageError(_unknown(word, project))


def _unknown(word: str, project: Project) -> str:
    if project.is_reserved(word):
        return f"`{word}` is a command; it must be the first word"
    key = BuildKey.of(word)
    if key.variant is not None and (project.build(key) / "runs").is_dir():
        again = f"`python run.py history {word}` shows with which -p it was made"
        return f"`{word}` is a build beside `{key.profile}`: give the same command again; {again}"
    if (stage := stage_name(PurePath(FOLDER, word))) in project.notebooks:
        # With the number of its file, or its suffix.
        named = f"{DEFAULT_PROFILE}-{stage}" if project.is_reserved(stage) else stage
        return f"there is no target `{word}`; did you mean `{named}`?"
    below = word.removeprefix("./").removeprefix(f"{FOLDER}/")
    for name in project.listing.left_out:
        if name in {below, f"{below}.ipynb"} or (name[-1] == "/" and below.startswith(name)):
            return f"`{word}` is no stage; {project.listing.words}"
    for profile in project.profiles:
        stage = word.removeprefix(f"{profile}-")
        if stage != word:
            hint = did_you_mean(stage, project.notebooks)
            return f"there is no target `{word}`: no stage `{stage}`{hint}"
    words = [*project.profiles, *project.notebooks]
    commands = [one for one in project.reserved if one[-1] != "-"]
    pairs = [f"{profile}-{stage}" for profile in project.profiles for stage in project.notebooks]
    hint = did_you_mean(word, [*words, *pairs] if "-" in word else words, commands)
    return then(f"there is no target `{word}`{hint}", "`python run.py list` shows all")
