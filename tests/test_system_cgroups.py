"""Limits of control groups, of both versions, by made-up files of the system."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.system.cgroups import cpu_quota, memory_limit, memory_used, oom_kills

MIB = 1 << 20
V2 = "0::/kubepods/pod1/box"
V1 = "5:cpu,cpuacct:/box\n4:memory:/pods/box\n1:name=systemd:/other"


def system(folder: Path, groups: str, files: Mapping[str, object]) -> str:
    """Write what `/proc/self/cgroup` holds, and files below `/sys/fs/cgroup`; give the root."""
    written: dict[str, object] = {"proc/self/cgroup": groups}
    written |= {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in written.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n" if text != "" else "", "utf-8")
    return str(folder)


def test_of_version_2_the_tightest_limit_of_a_group_and_those_above_counts(tmp_path: Path) -> None:
    files = {
        "kubepods/pod1/box/memory.max": "max",
        "kubepods/pod1/memory.max": 512 * MIB,
        "kubepods/memory.max": 2048 * MIB,
        "kubepods/pod1/box/cpu.max": "400000 100000",
        "kubepods/pod1/cpu.max": "150000 100000",
        "kubepods/cpu.max": "max 100000",
    }
    root = system(tmp_path, V2, files)
    assert memory_limit(root) == 512 * MIB
    assert cpu_quota(root) == 1.5


def test_a_container_of_version_2_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    root = system(tmp_path, "0::/", {"memory.max": 256 * MIB, "cpu.max": "50000 100000"})
    assert memory_limit(root) == 256 * MIB
    assert cpu_quota(root) == 0.5


def test_of_version_2_what_is_used_is_that_of_the_group_with_the_limit(tmp_path: Path) -> None:
    files = {
        "kubepods/pod1/memory.max": 512 * MIB,
        "kubepods/pod1/memory.current": 300 * MIB,
        "kubepods/pod1/memory.stat": f"anon 1\ninactive_anon 7\ninactive_file {100 * MIB}\nfile 9",
        "kubepods/pod1/box/memory.max": "max",
        "kubepods/pod1/box/memory.current": 20 * MIB,
        "kubepods/pod1/box/memory.stat": f"inactive_file {5 * MIB}",
    }
    assert memory_used(system(tmp_path, V2, files)) == 200 * MIB


def test_of_version_2_without_a_limit_our_own_group_is_looked_at(tmp_path: Path) -> None:
    files = {
        "kubepods/pod1/box/memory.max": "max",
        "kubepods/pod1/box/memory.current": 20 * MIB,
        "kubepods/pod1/memory.current": 300 * MIB,
    }
    root = system(tmp_path, V2, files)
    assert memory_limit(root) is None
    assert memory_used(root) == 20 * MIB


def test_of_version_2_the_processes_of_our_group_that_were_killed_count(tmp_path: Path) -> None:
    box = "low 0\nhigh 0\nmax 9\noom 5\noom_kill 3\noom_group_kill 1"
    files = {"kubepods/pod1/box/memory.events": box, "kubepods/pod1/memory.events": "oom_kill 8"}
    assert oom_kills(system(tmp_path, V2, files)) == 3


def test_of_version_1_each_controller_has_its_own_groups(tmp_path: Path) -> None:
    files = {
        "memory/pods/box/memory.limit_in_bytes": 9223372036854771712,
        "memory/pods/memory.limit_in_bytes": 128 * MIB,
        "memory/pods/memory.usage_in_bytes": 90 * MIB,
        "memory/pods/memory.stat": f"inactive_file {80 * MIB}\ntotal_inactive_file {30 * MIB}",
        "memory/pods/box/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2",
        "cpu/box/cpu.cfs_quota_us": -1,
        "cpu/box/cpu.cfs_period_us": 100000,
        "cpu/cpu.cfs_quota_us": 250000,
        "cpu/cpu.cfs_period_us": 100000,
        # Of a unified hierarchy beside it, which has no controllers.
        "memory.max": 1,
    }
    root = system(tmp_path, V1, files)
    assert memory_limit(root) == 128 * MIB
    assert memory_used(root) == 60 * MIB
    assert oom_kills(root) == 2
    assert cpu_quota(root) == 2.5


@pytest.mark.parametrize("groups", [V1, V2, ""])
def test_where_nothing_is_said_nothing_is_known(tmp_path: Path, groups: str) -> None:
    root = system(tmp_path, groups, {})
    found = (cpu_quota(root), memory_limit(root), memory_used(root), oom_kills(root))
    assert found == (None, None, None, None)


@pytest.mark.parametrize(
    "text", ["", "max", "max 100000", "0 100000", "100000 0", "100000", "-1 1"]
)
def test_a_quota_that_limits_nothing_is_none(tmp_path: Path, text: str) -> None:
    assert cpu_quota(system(tmp_path, "0::/", {"cpu.max": text})) is None
