"""A Kubernetes Job that builds targets in the project's image, to be applied by `kubectl`.

The fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..build import less_margin
from ..errors import Exit, UsageError
from ..plan import request
from ..project import Project, Settings
from . import options
from .options import Options

# Where the image has the project (see Dockerfile).
_PROJECT = "/project"
# A run that is asked to end interrupts its cells, kills what does not listen, and saves.
_GRACE = 90
# On the first start the time is noted here; the folder lasts as long as the pod.
_FIRST_START = "/tmp/first-start"  # noqa: S108 - the container's own
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_CPU = re.compile(r"0*[1-9][0-9]*m|(?=[0-9.]*[1-9])[0-9]+(\.[0-9]{1,3})?")
# Fewer bytes than a megabyte are a forgotten unit.
_MEMORY = re.compile(r"(?=[0-9.]*[1-9])[0-9]+(\.[0-9]+)?([MGTP]i?)|[0-9]{7,}")
_USER = re.compile(r"0*[1-9][0-9]{0,9}:[0-9]{1,10}")
# Less is over before the first kernel is there, in seconds.
_SHORTEST = 60
_LARGEST_ID = (1 << 31) - 1
_IMAGE = re.compile(r"[a-zA-Z0-9][-\w./:@]*", re.ASCII)


@dataclass(frozen=True)
class Wanted:
    """What the Job is to have; the texts are as Kubernetes writes them.

    Raises:
        UsageError: one is not.
    """

    image: str
    name: str
    cpu: str
    memory: str
    gpu: int
    claim: str | None
    workdir: str | None
    user: str
    secrets: tuple[str, ...]
    deadline: float | None

    def __post_init__(self) -> None:
        """Check the texts."""
        if not self.image:
            message = "job needs --image IMAGE, the image made from the project's Dockerfile"
            raise UsageError(message)
        object_name = "a name of small letters, digits and dashes"
        for option, text, form, what in (
            ("image", self.image, _IMAGE, "an image such as registry/name:1"),
            (
                *("name", self.name, _NAME),
                "small letters, digits and dashes, at most 63, beginning with a letter",
            ),
            ("cpu", self.cpu, _CPU, "a number of CPUs such as 4 or 500m"),
            ("memory", self.memory, _MEMORY, "an amount with its unit, such as 16Gi"),
            ("user", self.user, _USER, "two numbers such as 1000:100, the user's not 0"),
            *(("secret", secret, _SUBDOMAIN, object_name) for secret in self.secrets),
            *(
                ("claim", claim, _SUBDOMAIN, object_name)
                for claim in [self.claim]
                if claim is not None
            ),
        ):
            if not form.fullmatch(text):
                message = f"--{option} takes {what}, not {text!r}"
                raise UsageError(message)
        if self.deadline is not None and self.deadline < _SHORTEST:
            message = f"--deadline of a Job takes at least {_SHORTEST} seconds"
            raise UsageError(message)
        if any(int(number) > _LARGEST_ID for number in self.user.split(":")):
            message = f"--user takes numbers up to {_LARGEST_ID}, not {self.user!r}"
            raise UsageError(message)
        if self.workdir is not None and (self.claim is None or not self.workdir.startswith("/")):
            message = "--workdir takes an absolute path, where --claim has a clone of the project"
            raise UsageError(message)


def _wanted(options: Mapping[str, Any], name: str, deadline: float | None) -> Wanted:
    """Read the options of the command; `name` is the Job's if they give none."""
    gpu = str(options.get("gpu") or "0")
    if not gpu.isdecimal():
        message = f"--gpu takes a whole number, not {gpu!r}"
        raise UsageError(message)
    return Wanted(
        image=options.get("image") or "",
        name=options.get("name") or name,
        cpu=options.get("cpu") or "2",
        memory=options.get("memory") or "8Gi",
        gpu=int(gpu),
        claim=options.get("claim"),
        workdir=options.get("workdir"),
        user=options.get("user") or "1000:100",
        secrets=tuple(options.get("secret") or ()),
        deadline=deadline,
    )


def _default_name(words: Sequence[str]) -> str:
    """Make a name for a Job out of words."""
    name = re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")
    return (name if name[:1].isalpha() else f"run-{name}")[:63].rstrip("-")


def _job(job: Wanted, command: Sequence[str]) -> dict[str, Any]:
    """Make the Job that carries out a command."""
    user, group = map(int, job.user.split(":"))
    workdir = job.workdir or _PROJECT
    resources: dict[str, Any] = {"cpu": job.cpu, "memory": job.memory}
    if job.gpu:
        resources["nvidia.com/gpu"] = job.gpu
    workspace: dict[str, Any] = {"name": "workspace"}
    workspace |= (
        {"persistentVolumeClaim": {"claimName": job.claim}} if job.claim else {"emptyDir": {}}
    )
    container: dict[str, Any] = {
        "name": "run",
        "image": job.image,
        # The image's entry point stays: it hands on signals and buries orphans.
        # What looks like a variable would be replaced, and two dollars are one.
        "args": [word.replace("$", "$$") for word in command],
        "workingDir": workdir,
        "resources": {"requests": dict(resources), "limits": dict(resources)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "workspace", "mountPath": job.workdir or f"{workdir}/outputs"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        ],
    }
    if job.deadline is not None:
        seconds = int(less_margin(job.deadline))
        container["env"] = [
            {"name": "RUN_DEADLINE", "value": str(seconds)},
            {"name": "RUN_DEADLINE_FROM", "value": _FIRST_START},
        ]
    if job.secrets:
        container["envFrom"] = [{"secretRef": {"name": name}} for name in job.secrets]
    pod: dict[str, Any] = {
        # The same command goes on where the last attempt stopped.
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": _GRACE,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": group,
            "fsGroup": group,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [workspace, {"name": "tmp", "emptyDir": {}}],
    }
    labels = {"app.kubernetes.io/name": job.name}
    spec: dict[str, Any] = {"backoffLimit": 3}
    if job.deadline is not None:
        spec["activeDeadlineSeconds"] = int(job.deadline)
    spec["template"] = {"metadata": {"labels": dict(labels)}, "spec": pod}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job.name, "labels": labels},
        "spec": spec,
    }


def _show(made: Mapping[str, Any]) -> int:
    """Print a Job as YAML."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - only this command needs the writer

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(made, sys.stdout)
    return Exit.OK


def command(loaded: Project, settings: Settings, chosen: Options) -> int:
    """Print a Kubernetes Job that builds targets.

    Raises:
        UsageError: a word or an option says nothing possible.
        ProjectError: the project has mistakes.
    """
    words = chosen.rest
    if not words:
        message = "job needs a target, such as `python run.py job all --image IMAGE`"
        raise UsageError(message)
    if settings.force:
        message = "job takes no `force`, as pyproject.toml sets it: each restart would begin anew"
        raise UsageError(message)
    name = _default_name([loaded.root.name, *words])
    wanted = _wanted(chosen.given, name, settings.deadline)
    request.read(loaded, settings, words, chosen.parameters, chosen.forced)
    if wanted.claim is None:
        print(
            "run.py: without --claim what is built is gone with the pod; give a volume to keep it",
            file=sys.stderr,
        )
    line = ["python", "run.py", *words, *options.handed_on(chosen.given)]
    return _show(_job(wanted, line))
