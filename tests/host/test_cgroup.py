"""Shares of containers, read from trees as kernels lay them out."""

import pytest

from leitstand.host.cgroup import Share, share

V2_MOUNT = "30 20 0:26 {inside} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1_MOUNT = "31 20 0:27 {inside} /sys/fs/cgroup/{name} rw - cgroup cgroup rw,{name}\n"


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def v2(root, inside="/", group="/a/b", **files):
    return write(
        root,
        {
            "proc/self/cgroup": f"0::{group}\n",
            "proc/self/mountinfo": V2_MOUNT.format(inside=inside),
            **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
        },
    )


def test_version_2_counts_the_tightest_group_on_the_way_up(tmp_path):
    root = v2(
        tmp_path,
        **{
            "a/cpu.max": "150000 100000\n",
            "a/b/cpu.max": "max 100000\n",
            "a/memory.max": "2000\n",
            "a/memory.current": "900\n",
            "a/memory.stat": "anon 1\ninactive_file 400\n",
            "a/b/memory.max": "max\n",
            "a/b/memory.current": "100\n",
            "a/b/memory.swap.max": "0\n",
            "a/b/cpu.stat": "usage_usec 2500000\n",
        },
    )
    assert share(root) == Share(1.5, 2000, 500, 0, 2.5)


def test_a_container_that_sees_only_its_subtree_finds_itself_at_its_root(tmp_path):
    root = v2(tmp_path, inside="/docker/x", group="/docker/x", **{"cpu.max": "50000 100000\n"})
    assert share(root).cores == 0.5


def test_a_group_outside_the_namespace_is_read_at_the_mount_point(tmp_path):
    root = v2(tmp_path, group="/../../other", **{"memory.max": "10\n", "memory.current": "1\n"})
    assert share(root).memory_limit_bytes == 10


@pytest.mark.parametrize(("quota", "cores"), [("25000", 0.25), ("-1", None)])
def test_version_1_reads_each_controller_in_its_own_tree(tmp_path, quota, cores):
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/m\n2:cpuacct:/c\n1:cpu:/c\n",
            "proc/self/mountinfo": "".join(
                V1_MOUNT.format(inside="/", name=name) for name in ("cpu", "cpuacct", "memory")
            ),
            "sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": f"{quota}\n",
            "sys/fs/cgroup/cpu/c/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpuacct/c/cpuacct.usage": "3000000000\n",
            "sys/fs/cgroup/memory/m/memory.limit_in_bytes": "4096\n",
            "sys/fs/cgroup/memory/m/memory.usage_in_bytes": "1024\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "5000\n",
        },
    )
    assert share(root) == Share(cores, 4096, 1024, None, 3.0)


def test_a_machine_without_groups_has_no_limits(tmp_path):
    assert share(tmp_path) == Share()
