"""Jobs for Kubernetes, checked against its schemas and for what these do not say."""

from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from tests.project import TemporaryProject

TMP = "/tmp"  # noqa: S108 - the container's own
JOB = ("job", "all", "--image", "registry/project:1")


def printed(project: TemporaryProject, *options: str) -> Any:  # noqa: ANN401 - YAML has no types
    """Give the Job that is printed for the profile `all`."""
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    return YAML(typ="safe").load(project.call(*JOB, *options).out)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--cpu", "4", "--memory", "16Gi", "--gpu", "1", "--deadline", "6h", "--name", "fit"),
        ("--claim", "data", "--workdir", "/mnt/project", "--secret", "keys", "--secret", "more"),
        ("-j", "2", "-k", "-p", "a.x=$$(HOME)", "--cold"),
    ],
)
def test_a_job_for_kubernetes_is_valid(project: TemporaryProject, options: tuple[str, ...]) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",), parameters="x = 'a'")
    done = project.call(*JOB, *options)
    assert ("without --claim" in done.err) is ("--claim" not in options)
    text = done.out
    made = YAML(typ="safe").load(text)
    for version in ("1.25", kubernetes_validate.latest_version()):
        kubernetes_validate.validate(made, version, strict=True)
    assert "&" not in text
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][:3] == ["python", "run.py", "all"]
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["restartPolicy"] == "OnFailure"
    assert pod["terminationGracePeriodSeconds"] >= 60
    mounts = {one["mountPath"] for one in container["volumeMounts"]}
    if "--deadline" in options:
        assert made["metadata"]["name"] == "fit"
        assert made["spec"]["activeDeadlineSeconds"] == 6 * 3600
        assert container["env"] == [
            {"name": "RUN_DEADLINE", "value": str(6 * 3600 - 120)},
            {"name": "RUN_DEADLINE_FROM", "value": "/tmp/first-start"},  # noqa: S108 - its own
        ]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    if "--claim" in options:
        assert mounts == {"/mnt/project", TMP}
        assert container["workingDir"] == "/mnt/project"
        assert [one["secretRef"]["name"] for one in container["envFrom"]] == ["keys", "more"]
        assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "data"}
    else:
        assert mounts == {"/project/outputs", TMP}
    if "-j" in options:
        asked = {*container["args"][3:]}
        assert asked == {"--jobs", "2", "--keep-going", "--cold", "--parameter", "a.x=$$$$(HOME)"}


def test_a_job_has_little_unless_it_asks_for_more(project: TemporaryProject) -> None:
    made = printed(project)
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "registry/project:1"
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "8Gi"}
    assert made["metadata"]["name"] == "project-all"
    assert "activeDeadlineSeconds" not in made["spec"]
    assert not container.keys() & {"env", "envFrom"}
    asked = printed(project, "--cpu", "500m", "--memory", "1Gi", "--gpu", "2")
    (container,) = asked["spec"]["template"]["spec"]["containers"]
    limits = {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": 2}
    assert container["resources"] == {"limits": limits, "requests": limits}


def test_a_job_may_do_nothing_that_needs_privileges(project: TemporaryProject) -> None:
    pod = printed(project)["spec"]["template"]["spec"]
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("options", "user", "group"), [((), 1000, 100), (("--user", "12345:678"), 12345, 678)]
)
def test_a_job_runs_as_a_numeric_user_whose_group_has_its_files(
    project: TemporaryProject, options: tuple[str, ...], user: int, group: int
) -> None:
    found = printed(project, *options)["spec"]["template"]["spec"]["securityContext"]
    assert (found["runAsUser"], found["runAsGroup"], found["fsGroup"]) == (user, group, group)
    assert found["runAsNonRoot"] is True


def test_a_job_is_started_again_three_times_at_most(project: TemporaryProject) -> None:
    made = printed(project)
    assert made["spec"]["backoffLimit"] == 3
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"


@pytest.mark.parametrize(
    ("deadline", "seconds"), [("10m", 540), ("20m", 1080), ("21m", 1140), ("6h", 21480)]
)
def test_a_job_has_two_minutes_to_end_or_a_tenth_of_a_short_time(
    project: TemporaryProject, deadline: str, seconds: int
) -> None:
    made = printed(project, "--deadline", deadline)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["env"][0] == {"name": "RUN_DEADLINE", "value": str(seconds)}


# What follows `run.py`, and what is said of it.
MISTAKES = [
    (("job", "all"), "job needs --image IMAGE"),
    (("job", "--image", "x"), "job needs a target"),
    ((*JOB[:1], "alk", *JOB[2:]), "there is no target `alk`"),
    ((*JOB, "--cpu", "many"), "--cpu takes a number of CPUs such as 4 or 500m"),
    ((*JOB, "--cpu", "4Gi"), "--cpu takes"),
    ((*JOB, "--cpu", "0"), "--cpu takes"),
    ((*JOB, "--memory", "16 GB"), "--memory takes an amount with its unit, such as 16Gi"),
    ((*JOB, "--memory", "16"), "--memory takes"),
    ((*JOB, "--memory", "500m"), "--memory takes"),
    ((*JOB, "--memory", "0Gi"), "--memory takes"),
    ((*JOB, "--name", "My_Job"), "--name takes small letters, digits and dashes"),
    ((*JOB, "--user", "0:0"), "--user takes two numbers such as 1000:100, the user's not 0"),
    ((*JOB, "--user", "00:0"), "--user takes"),
    ((*JOB, "--user", "9999999999:1"), "--user takes numbers up to"),
    ((*JOB, "--secret", "Bad_Name"), "--secret takes a name"),
    ((*JOB, "--claim", ""), "--claim takes a name"),
    ((*JOB[:3], "a b"), "--image takes an image such as"),
    ((*JOB, "--notify", "json://h/x"), "put RUN_NOTIFY into the Secret"),
    ((*JOB, "--deadline", "0.4"), "--deadline of a Job takes at least 60 seconds"),
    ((*JOB, "-f"), "job takes no -f: each restart would begin anew"),
    ((*JOB, "--force=a"), "job takes no --force"),
    ((*JOB, "-b"), "job takes no -b"),
    ((*JOB, "--gpu", "one"), "--gpu takes a whole number"),
    ((*JOB, "--workdir", "/x"), "--workdir takes an absolute path, where --claim"),
    (("all", "--image", "x"), "--image goes with job alone"),
]


def test_mistakes_of_a_job(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    for words, message in MISTAKES:
        assert message in project.call(*words, code=2).err, words
    assert project.run(*JOB, "-b", code=2) == project.call(*JOB, "-b", code=2)


def test_a_job_is_printed_by_the_command_itself(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    assert project.run(*JOB) == project.call(*JOB)
