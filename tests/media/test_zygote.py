"""Children are cheap, apart from one another, and gone when they should be."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leitstand.media.sandbox import Limits
from leitstand.media.zygote import ChildError, Zygote, ZygoteError

ROLES = {
    name: f"hostile_roles:{name}"
    for name in (
        *("crash", "burn", "hang", "doze", "garbage", "not_json", "leave", "fail", "refuse"),
        *("echo", "killed", "swallow_at_once"),
    )
}
HERE = str(Path(__file__).parent)


@pytest.fixture(scope="module")
def zygote():
    with Zygote.start({**ROLES, "absent": "no_such_module:role"}) as started:
        yield started


def ended(pidfd: int, seconds: float = 20.0) -> bool:
    """Waits until a process is gone."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    try:
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(pidfd)


def open_descriptors() -> set[str]:
    return {
        f"{path.name} {path.readlink()}"
        for path in Path("/proc/self/fd").iterdir()
        if path.exists()
    }


@pytest.mark.parametrize(
    ("role", "code"),
    [
        ("crash", "crashed"),
        ("garbage", "protocol"),
        ("not_json", "protocol"),
        ("leave", "protocol"),
        ("swallow_at_once", "memory-limit"),
        ("absent", "no-role"),
        ("never heard of", "no-role"),
    ],
)
def test_a_child_that_fails_says_why_and_harms_nobody(zygote, role, code):
    with zygote.spawn("echo", {}) as neighbour:
        with zygote.spawn(role, {}) as child, pytest.raises(ChildError) as caught:
            child.wait()
        assert caught.value.code == code
        neighbour.send({"still": "here"})
        assert neighbour.receive().head == {"still": "here"}


def test_a_crash_names_its_signal(zygote):
    with zygote.spawn("crash", {}) as child, pytest.raises(ChildError) as caught:
        child.wait()
    assert caught.value.params["signal"] == signal.SIGSEGV


def test_processor_time_is_bounded(zygote):
    with (
        zygote.spawn("burn", {}, limits=Limits(cpu_seconds=1)) as child,
        pytest.raises(ChildError, match="cpu-limit"),
    ):
        child.wait()


def test_silence_is_bounded(zygote):
    with zygote.spawn("hang", {}, silence_seconds=0.3) as child:
        pidfd = os.pidfd_open(child.receive().head["pid"])
        with pytest.raises(ChildError, match="time-limit"):
            child.wait()
    assert ended(pidfd)


def test_a_refusal_keeps_its_code_and_parameters(zygote):
    with zygote.spawn("refuse", {}) as child, pytest.raises(ChildError) as caught:
        child.wait()
    assert caught.value.code == "too-much"
    assert caught.value.params == {"amount": 7}


def test_a_bug_in_a_role_tells_its_place_and_nothing_of_the_media(zygote):
    with zygote.spawn("fail", {"secret": "Erika"}) as child, pytest.raises(ChildError) as caught:
        child.wait()
    assert caught.value.code == "role-failed"
    assert "ValueError at hostile_roles.py" in caught.value.params["at"]
    assert "Erika" not in str(caught.value)


def test_messages_travel_both_ways_with_large_bodies(zygote):
    body = os.urandom(3_000_000)
    with zygote.spawn("echo", {}) as child:
        for number in range(3):
            child.send({"number": number, "name": "Ünïcode\n"}, body)
            answer = child.receive()
            assert answer.head == {"number": number, "name": "Ünïcode\n"}
            assert answer.body == body
        child.send({"stop": True})
        assert child.wait() == 3


def test_children_run_side_by_side_from_several_threads(zygote):
    def talk(number):
        with zygote.spawn("echo", {}) as child:
            child.send({"number": number})
            answer = child.receive()
            child.send({"stop": True})
            child.wait()
            return answer.head["number"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(talk, range(40))) == list(range(40))


def test_a_child_that_is_dropped_is_ended(zygote):
    child = zygote.spawn("doze", {})
    pidfd = os.pidfd_open(child.receive().head["pid"])
    child.close()
    child.close()
    assert ended(pidfd)


def test_a_child_can_be_killed_from_another_thread_while_it_is_waited_for(zygote):
    with zygote.spawn("doze", {}) as child, ThreadPoolExecutor(1) as pool:
        child.receive()
        waiting = pool.submit(child.wait)
        child.kill()
        assert waiting.exception(30).code == "killed"


def test_a_child_killed_from_outside_is_told_from_one_we_ended(zygote):
    with zygote.spawn("killed", {}) as child:
        os.kill(child.receive().head["pid"], signal.SIGKILL)
        with pytest.raises(ChildError) as caught:
            child.wait()
    assert (caught.value.code, caught.value.params) == ("crashed", {"signal": 9})


def test_no_descriptor_stays_behind(zygote):
    zygote.abilities()
    before = open_descriptors()
    for role in ("refuse", "crash", "garbage"):
        with zygote.spawn(role, {}) as child, pytest.raises(ChildError):
            child.wait()
    zygote.spawn("doze", {}).close()
    assert open_descriptors() == before


def test_the_zygote_holds_no_descriptor_of_a_child_that_is_gone():
    memory = os.memfd_create("given")
    with Zygote.start(ROLES) as zygote:
        folder = Path(f"/proc/{zygote.pid}/fd")
        before = len(list(folder.iterdir()))
        for _ in range(10):
            with zygote.spawn("doze", {}, [memory]) as child:
                pidfd = os.pidfd_open(child.receive().head["pid"])
            assert ended(pidfd)
        for _ in range(2):  # by the second, the zygote has seen all that ended before the first
            zygote.abilities()
        assert len(list(folder.iterdir())) <= before + 4  # two each while these two end
    os.close(memory)


def test_closing_the_zygote_ends_its_children():
    zygote = Zygote.start(ROLES)
    child = zygote.spawn("doze", {})
    pidfd = os.pidfd_open(child.receive().head["pid"])
    zygote.close()
    zygote.close()
    assert ended(pidfd)
    with pytest.raises(ZygoteError):
        zygote.spawn("echo", {})
    child.close()


@pytest.mark.parametrize("thread", ["main", "other"])
def test_zygote_and_children_end_with_a_parent_that_is_killed(thread):
    program = f"""
import sys, threading, time
sys.path.insert(0, {HERE!r})
from leitstand.media.zygote import Zygote
def run():
    global zygote, child
    zygote = Zygote.start({{"doze": "hostile_roles:doze"}})
    child = zygote.spawn("doze", {{}})
    print(zygote.pid, child.receive().head["pid"], flush=True)
    time.sleep(600)
if {thread!r} == "main":
    run()
else:
    thread = threading.Thread(target=run); thread.start(); thread.join()
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        pidfds = [os.pidfd_open(pid) for pid in pids]
        parent.kill()
    assert len(pidfds) == 2
    assert all(ended(pidfd) for pidfd in pidfds)


def test_children_end_with_a_zygote_that_is_killed():
    zygote = Zygote.start(ROLES)
    with zygote.spawn("doze", {}) as child:
        pidfd = os.pidfd_open(child.receive().head["pid"])
        os.kill(zygote.pid, signal.SIGKILL)
        assert ended(pidfd)
    zygote.close()


@pytest.mark.parametrize("hook", ["preload_that_fails", "preload_that_leaves_a_thread"])
def test_a_zygote_that_cannot_be_trusted_to_fork_does_not_start(hook):
    with pytest.raises(ZygoteError, match="RuntimeError"):
        Zygote.start(preload=[f"hostile_roles:{hook}"])


def test_a_hook_of_a_module_that_is_not_installed_is_left_out():
    with Zygote.start(preload=["no_such_module:preload"]) as zygote:
        assert zygote.abilities()


def test_the_zygote_leaves_no_core_dump(zygote):
    status = Path(f"/proc/{zygote.pid}/limits").read_text()
    core = next(line for line in status.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
