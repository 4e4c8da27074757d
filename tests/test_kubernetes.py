"""Jobs for Kubernetes, checked against its schemas and for what these do not say."""

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from tests.project import TemporaryProject

TMP = "/tmp"  # noqa: S108 - the container's own
JOB = ("job", "all", "--image", "registry/project:1")


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
        assert asked == {"--jobs", "2", "--keep-going", "--cold", "-p", "a.x=$$$$(HOME)"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
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
        ((*JOB, "-f"), "job takes no --force"),
        ((*JOB, "--force=a"), "job takes no --force"),
        ((*JOB, "-b"), "job takes no -b"),
        ((*JOB, "--gpu", "one"), "--gpu takes a whole number"),
        ((*JOB, "--workdir", "/x"), "--workdir takes an absolute path, where --claim"),
        (("all", "--image", "x"), "--image goes with job alone"),
    ],
)
def test_mistakes_of_a_job(project: TemporaryProject, words: tuple[str, ...], message: str) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    assert message in project.call(*words, code=2).err
