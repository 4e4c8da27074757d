"""Runs that nobody watches: in the background, asked after and stopped from elsewhere."""

import json
import os
import pty
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import kubernetes_validate
import psutil
import pytest
from ruamel.yaml import YAML

from tests.project import TemporaryProject, environment
from tests.test_builds import WAIT, wait_for


def waiting(project: TemporaryProject, go: Path) -> None:
    """Write a stage that waits for a file, and one after it."""
    project.profile("all")
    project.stage("a", 'print("here")', WAIT.format(marker=go), writes=("a.txt",))
    project.stage("b", reads=("a.txt",), writes=("b.txt",))


def ended(project: TemporaryProject, profile: str = "all", seconds: float = 60) -> str:
    """Wait until the newest run has ended; give its state."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        (build,) = json.loads(project.run("status", profile, "--json").out)["builds"]
        if build["run"]["state"] != "running":
            return str(build["run"]["state"])
        time.sleep(0.1)
    message = "the run goes on"
    raise AssertionError(message)


@contextmanager
def on_terminal(project: TemporaryProject, *words: str) -> Iterator[tuple[int, int]]:
    """Start a command as a shell on a terminal does; give its process id and the terminal.

    The terminal is closed at the end, which sends SIGHUP to the command.
    """
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(project.root)
        os.execve(sys.executable, project.command(*words), environment({"TERM": "xterm"}))  # noqa: S606
    try:
        yield pid, terminal
    finally:
        os.close(terminal)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def seen(terminal: int, text: str, seconds: float = 60) -> str:
    """Read off a terminal until a text is there."""
    found = ""
    end = time.monotonic() + seconds
    while text not in found:
        assert time.monotonic() < end, found
        try:
            found += os.read(terminal, 4096).decode("utf-8", "replace")
        except OSError:
            break
    assert text in found, found
    return found


def test_a_run_in_the_background_outlives_its_terminal(
    project: TemporaryProject, tmp_path: Path
) -> None:
    waiting(project, tmp_path / "go")
    with on_terminal(project, "all", "-b") as (pid, terminal):
        found = seen(terminal, "end it in good order")
        _, status = os.waitpid(pid, 0)
        assert status == 0
    run = re.search(r"run (\S+) goes on in the background on \S+", found)
    assert run is not None
    assert "builds outputs/all/: a, b" in found
    wait_for(project.outputs("all") / "log.txt", "here")
    (tmp_path / "go").touch()
    assert ended(project) == "succeeded"
    assert project.runs("all")[-1].name == run[1]
    assert project.states("all") == {"a": "succeeded", "b": "succeeded"}


def test_a_run_on_a_terminal_that_closes_goes_on(project: TemporaryProject, tmp_path: Path) -> None:
    waiting(project, tmp_path / "go")
    with on_terminal(project, "all") as (pid, terminal):
        seen(terminal, "here")
        os.close(os.dup(terminal))
        process = psutil.Process(pid)
        os.kill(pid, signal.SIGHUP)
        time.sleep(0.5)
        assert process.is_running()
        (tmp_path / "go").touch()
        seen(terminal, "all succeeded")


def test_a_job_that_cannot_start_says_so_before_it_returns(
    project: TemporaryProject, tmp_path: Path
) -> None:
    waiting(project, tmp_path / "go")
    done = project.run("all", "-b", "-p", "a.nothing=1", code=2)
    assert "nothing" in done.err
    assert "background" not in done.text
    assert not project.outputs("all").exists()
    project.run("all", "-b")
    done = project.run("all", "-b", code=5)
    assert "another run holds outputs/all/" in done.err
    assert "background" not in done.text
    (tmp_path / "go").touch()
    assert ended(project) == "succeeded"


def test_a_run_in_the_background_has_no_terminal_and_its_own_session(
    project: TemporaryProject, tmp_path: Path
) -> None:
    waiting(project, tmp_path / "go")
    project.run("all", "-b")
    (runner,) = [
        one
        for one in psutil.process_iter()
        if _words(one)[-2:] == ["all", "-b"] and str(project.root) in " ".join(_words(one))
    ]
    assert runner.terminal() is None
    assert os.getsid(runner.pid) == runner.pid
    assert [Path(f"/proc/{runner.pid}/fd/{n}").readlink() for n in (0, 1)] == [
        Path("/dev/null")
    ] * 2
    project.run("stop")
    assert ended(project) == "cancelled"


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize("now", [False, True])
@pytest.mark.parametrize("word", ["profile", "run id", "nothing"])
def test_stop_ends_a_run_in_good_order(
    project: TemporaryProject, tmp_path: Path, word: str, *, now: bool
) -> None:
    waiting(project, tmp_path / "never")
    project.run("all", "-b")
    wait_for(project.outputs("all") / "log.txt", "here")
    run = project.runs("all")[-1].name
    words = {"profile": ["all"], "run id": [run], "nothing": []}[word]
    done = project.run("stop", *words, *(["--now"] if now else []))
    assert f"asked run {run} on " in done.out
    assert "it has ended: cancelled" in done.out
    record = project.record("all")
    assert (record["state"], record["exit_code"]) == ("cancelled", 143)
    assert project.states("all") == {"a": "cancelled", "b": "cancelled"}
    assert re.search(r"stopped by `run.py stop` on \S+", project.log("all"))
    assert not [*project.runs("all")[-1].glob("stop.json")]
    assert f"run {run} has ended (cancelled)" in project.run("stop", "all").out
    assert "nothing is running" in project.run("stop").out


def test_stop_now_does_not_wait_for_a_cell_that_does_not_listen(
    project: TemporaryProject, tmp_path: Path
) -> None:
    project.profile("all")
    stubborn = (
        f"import signal, time\nfrom pathlib import Path\nPath({str(tmp_path / 'on')!r}).touch()\n"
        "while True:\n    try:\n        time.sleep(600)\n    except KeyboardInterrupt:\n"
        f"        Path({str(tmp_path / 'interrupted')!r}).touch()"
    )
    project.notebook("a", stubborn)
    project.run("all", "-b")
    wait_for(tmp_path / "on")
    project.run("stop", "--now")
    assert not (tmp_path / "interrupted").exists()


def test_the_log_is_followed_to_the_end_of_the_run(
    project: TemporaryProject, tmp_path: Path
) -> None:
    waiting(project, tmp_path / "go")
    project.run("all", "-b")
    with project.running("log", "-f") as whole, project.running("log", "-f", "all", "b") as one:
        wait_for(project.outputs("all") / "log.txt", "here")
        (tmp_path / "go").touch()
        assert (whole.wait(60), one.wait(60)) == (0, 0)
        assert whole.stdout is not None
        assert one.stdout is not None
        lines, of_b = whole.stdout.read(), one.stdout.read().splitlines()
    assert lines == (project.runs("all")[-1] / "log.txt").read_text("utf-8")
    assert lines == project.run("log").out
    assert of_b
    assert all(re.search(r" (INFO|ERROR) +b(\[\d|:)", line) for line in of_b)


def test_the_runs_of_one_command_are_followed_one_after_the_other(
    project: TemporaryProject, tmp_path: Path
) -> None:
    waiting(project, tmp_path / "go")
    project.profile("other")
    assert ", then the other profiles" in project.run("-b", "all", "other").out
    with project.running("log", "-f") as follower:
        assert follower.stdout is not None
        lines = iter(follower.stdout.readline, "")
        next(line for line in lines if "here" in line)
        (tmp_path / "go").touch()
        rest = "".join(lines)
        assert follower.wait(30) == 0
    assert re.search(r"run: all succeeded(?s:.*)run: other succeeded", rest)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["log", "alk"], "log: `alk` is no profile and no run's id; did you mean `all`?"),
        (["log"], "nothing has run yet"),
        (["log", "all", "test"], "log takes a profile or a run's id, and one stage"),
        (["stop", "20200101T000000Z-aaaa"], "there is no run 20200101T000000Z-aaaa"),
        (["all", "--now"], "--now goes with stop alone"),
        (["list", "--json"], "--json goes with status alone"),
    ],
)
def test_mistakes(project: TemporaryProject, words: list[str], message: str) -> None:
    project.profile("all")
    project.profile("test")
    project.stage("a", writes=("a.txt",))
    assert message in project.run(*words, code=2).err


def test_a_run_whose_host_is_gone_is_lost(project: TemporaryProject, tmp_path: Path) -> None:
    waiting(project, tmp_path / "never")
    with project.running("all") as process:
        wait_for(project.outputs("all") / "log.txt", "here")
        wait_for(next(project.outputs("all").glob("runs/*")) / "heartbeat.json")
        process.kill()
        process.wait(10)
    project.silence("all")
    told = "is lost: it is not heard of any more, last heard of at 1970-01-01 00:00:01 on "
    assert told in project.run("log", "-f", env={"TZ": "UTC"}).out
    assert "has ended (lost)" in project.run("stop", "all").out
    (build,) = json.loads(project.run("status", "--json").out)["builds"]
    assert build["run"]["state"] == "lost"


def test_a_stage_that_cannot_end_before_the_deadline_is_not_started(
    project: TemporaryProject,
) -> None:
    project.profile("all")
    project.stage("long", "import time\ntime.sleep(4)", writes=("long.txt",))
    project.stage("short", writes=("short.txt",))
    project.stage("after", reads=("long.txt",), writes=("after.txt",))
    project.run("all")
    done = project.run("all", "-f", "--deadline", "3", code=4)
    assert re.search(
        r"long: cancelled: it took [4-9]\.\d s before, and \d\.\d s are left", done.text
    )
    assert "--start-late starts it all the same" in done.text
    wanted = {"long": "cancelled", "short": "succeeded", "after": "blocked"}
    assert project.states("all") == wanted
    assert project.record("all")["state"] == "timed_out"
    done = project.run("all", "-f", "--deadline", "3", "--start-late", code=4)
    assert project.states("all")["long"] == "timed_out"
    assert "long: started" in done.text
    project.run("all")
    assert set(project.states("all").values()) <= {"succeeded", "skipped"}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"RUN_DEADLINE": "2s"}, "out of time (2.0 s by RUN_DEADLINE)"),
        ({"RUN_DEADLINE": "2s", "K8S_TIMEOUT_SECONDS": "9999"}, "by RUN_DEADLINE"),
        ({"K8S_TIMEOUT_SECONDS": "1"}, "before K8S_TIMEOUT_SECONDS ends the pod"),
    ],
)
def test_the_deadline_may_come_from_the_environment(
    project: TemporaryProject, tmp_path: Path, variables: dict[str, str | None], words: str
) -> None:
    waiting(project, tmp_path / "never")
    assert words in project.run("all", code=4, env=variables).text
    assert project.states("all")["a"] == "timed_out"


def test_a_deadline_that_is_no_time_is_told_before_anything_runs(
    project: TemporaryProject, tmp_path: Path
) -> None:
    waiting(project, tmp_path / "never")
    done = project.run("all", code=2, env={"RUN_DEADLINE": "soon"})
    assert "the environment variable RUN_DEADLINE takes a time such as 90" in done.err
    assert not project.outputs("all").exists()


def test_a_job_of_the_shell_writes_plain_lines_to_its_terminal(
    project: TemporaryProject, tmp_path: Path
) -> None:
    waiting(project, tmp_path / "go")
    (tmp_path / "go").touch()
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(project.root)
        line = " ".join([*project.command("all"), "& wait"])
        os.execvpe("bash", ["bash", "-mc", line], environment({"TERM": "xterm"}))  # noqa: S606
    found = seen(terminal, "all succeeded")
    os.close(terminal)
    os.waitpid(pid, 0)
    assert "\x1b" not in found


@contextmanager
def web_hook(*, answer: int = 200) -> Iterator[tuple[str, list[str]]]:
    """Serve on loopback; give an apprise URL for it, and what was sent there."""
    got: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8"))
            self.send_response(answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"json://user:pass-word@127.0.0.1:{server.server_port}/hook", got
        finally:
            server.shutdown()


@pytest.mark.parametrize("how", ["option", "variable", "setting"])
def test_someone_is_told_how_a_run_ended(project: TemporaryProject, how: str) -> None:
    project.profile("all")
    project.notebook("good", "x = 1", parameters='output_g = "../outputs/all/g.txt"')
    project.notebook("bad", "x = 1", "1 / 0", parameters='output_b = "../outputs/all/b.txt"')
    with web_hook() as (url, got):
        if how == "setting":
            project.write("pyproject.toml", f'[tool.runner]\nnotify = "{url}"\n')
        words = ["--notify", url] if how == "option" else []
        variables = {"RUN_NOTIFY": url if how == "variable" else None}
        done = project.run("all", "-k", *words, code=1, env=variables)
        (message,) = map(json.loads, got)
    assert message["title"] == "all failed"
    run = project.runs("all")[-1].name
    assert re.match(rf"project, run {run} on \S+, after [\d.]+ s\n", message["message"])
    assert "bad: failed in cell 3 of 3 (1 / 0): ZeroDivisionError" in message["message"]
    kept = "".join(
        path.read_text() for path in project.outputs("all").rglob("*.*") if path.is_file()
    )
    for text in (done.text, kept):
        assert "pass-word" not in text
        assert url not in text


def test_a_message_that_does_not_arrive_fails_nothing(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    with web_hook(answer=500) as (url, got):
        done = project.run("all", "--notify", url)
        assert got
    assert "not everyone was told" in done.text
    done = project.run("all", "-f", "--notify", "json://127.0.0.1:9/nobody")
    assert "told" in done.text
    done = project.run("all", "--notify", "nonsense://pass-word", code=2)
    assert "--notify: URL is of no kind that is known" in done.err
    assert "pass-word" not in done.err


TMP = "/tmp"  # noqa: S108 - the container's own
JOB = ("job", "all", "--image", "registry/project:1")


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--cpu", "4", "--memory", "16Gi", "--gpu", "1", "--deadline", "6h", "--name", "fit"),
        ("--claim", "data", "--workdir", "/mnt/project", "--secret", "keys", "--secret", "more"),
        ("-j", "2", "-k", "-p", "a.x=2", "--cold", "--force=a"),
    ],
)
def test_a_job_for_kubernetes_is_valid(project: TemporaryProject, options: tuple[str, ...]) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",), parameters="x = 1")
    text = project.run(*JOB, *options).out
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
        assert container["env"] == [{"name": "RUN_DEADLINE", "value": str(6 * 3600 - 120)}]
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
        assert asked == {"--jobs", "2", "--keep-going", "--cold", "--force=a", "-p", "a.x=2"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("job", "all"), "job needs --image IMAGE"),
        (("job", "--image", "x"), "job needs a target"),
        ((*JOB[:1], "alk", *JOB[2:]), "there is no target `alk`"),
        ((*JOB, "--cpu", "many"), "--cpu takes a quantity such as 4 or 500m"),
        ((*JOB, "--memory", "16 GB"), "--memory takes a quantity such as 16Gi"),
        ((*JOB, "--name", "My_Job"), "--name takes small letters, digits and dashes"),
        ((*JOB, "--user", "0:0"), "--user takes a user other than 0"),
        ((*JOB, "--gpu", "one"), "--gpu takes a whole number"),
        ((*JOB, "--workdir", "/x"), "--workdir takes an absolute path, where --claim"),
        (("all", "--image", "x"), "--image goes with job alone"),
    ],
)
def test_mistakes_of_a_job(project: TemporaryProject, words: tuple[str, ...], message: str) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    assert message in project.run(*words, code=2).err


def test_a_run_says_what_it_has(project: TemporaryProject) -> None:
    project.profile("all")
    project.stage("a", writes=("a.txt",))
    size = r"[\d.]+ [KMG]iB"
    assert re.search(
        rf"run: [\d.]+ CPUs?, {size} of memory, {size} of disk free", project.run("all").out
    )
    assert project.record("all")["disk_free"] > 0
