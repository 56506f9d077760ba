"""A decoder that was taken over can show wrong pixels and nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from leitstand.core.admission import SANDBOX
from leitstand.core.problem import Problem
from leitstand.media import sandbox
from leitstand.media.intake import take
from leitstand.media.zygote import ChildError, Zygote

ROLES = {
    name: f"hostile_roles:{name}"
    for name in ("probe", "swallow", "swallow_at_once", "survey", "hang")
}
DENIED = {"EPERM", "EACCES", "ENOSYS"}


@pytest.fixture(scope="module")
def zygote():
    os.environ["LEITSTAND_CANARY"] = "token-of-the-worker"
    try:
        with Zygote.start(ROLES) as started:
            yield started
    finally:
        del os.environ["LEITSTAND_CANARY"]


@pytest.fixture(scope="module")
def outcomes(zygote, tmp_path_factory):
    """What a hostile decoder got, while a server listens that it could reach."""
    secret = tmp_path_factory.mktemp("secret") / "key"
    secret.write_text("key")
    memory = os.memfd_create("probe")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as handed:
        request = {
            "secret": str(secret),
            "parent": os.getpid(),
            "port": server.getsockname()[1],
        }
        with zygote.spawn("probe", request, [memory, handed.fileno()]) as child:
            result = child.wait()
    assert secret.read_text() == "key"
    assert os.fstat(memory).st_size == 0
    os.close(memory)
    return result


def test_every_ability_holds_on_this_machine(zygote):
    held = dict(zygote.abilities())
    assert held == dict.fromkeys(SANDBOX, True)
    assert sandbox.abilities() == held


def test_nothing_that_a_hostile_decoder_tries_is_done(outcomes):
    got = {name: outcome for name, outcome in outcomes.items() if outcome == "done"}
    assert got == {}
    assert len(outcomes) > 30


def test_what_it_tries_is_denied_by_the_sandbox_and_not_by_chance(outcomes):
    other = {name: outcome for name, outcome in outcomes.items() if outcome not in DENIED}
    # For a limit that may not be raised, Python makes a ValueError of EPERM.
    assert other == {
        "raise its memory limit": "ValueError",
        "raise its file limit": "ValueError",
        "write 3 GiB": "EFBIG",
        "open many descriptors": "EMFILE",
    }


def test_three_gibibytes_are_not_to_be_had_in_pieces(zygote):
    with zygote.spawn("swallow", {}) as child:
        taken = child.wait()
    assert 1500 < taken <= 2048


def test_three_gibibytes_are_not_to_be_had_at_once(zygote):
    with (
        zygote.spawn("swallow_at_once", {}) as child,
        pytest.raises(ChildError, match="memory-limit"),
    ):
        child.wait()


def test_a_smaller_allowance_is_kept(zygote):
    limits = sandbox.Limits(address_bytes=256 * 1024**2)
    with zygote.spawn("swallow", {}, limits=limits) as child:
        assert child.wait() < 256


def test_it_is_born_with_what_it_was_given_and_no_more(zygote):
    memory = os.memfd_create("given")
    with zygote.spawn("survey", {}, [memory]) as child:
        born = child.wait()
    os.close(memory)
    assert sorted(born["open"]) == sorted({0, 1, 2, *born["given"]})
    assert "token-of-the-worker" not in str(born["environment"])
    assert "HOME" not in born["environment"]
    assert "PATH" not in born["environment"]


def test_it_has_no_capability_even_where_its_parent_is_root(zygote):
    with zygote.spawn("hang", {}) as child:
        pid = child.receive().head["pid"]
        status = Path(f"/proc/{pid}/status").read_text()
    found = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
    assert {found[name] for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {"0" * 16}


def test_it_may_use_threads(zygote):
    with zygote.spawn("survey", {}) as child:
        assert child.wait()["thread"] == ["ran"]


def test_the_zygote_survives_all_of_it(zygote, outcomes):
    assert all(zygote.abilities().values())


def _confined(prelude: str, attempt: str) -> str:
    """What `attempt` comes to in a process confined without one of the locks."""
    program = f"""
import errno, os, socket, subprocess
from leitstand.media import sandbox, syscalls
{prelude}
held = sandbox.confine(sandbox.Limits())
try:
    {attempt}
    print("done", held)
except OSError as error:
    print(errno.errorcode[error.errno], held)
except MemoryError:
    print("MemoryError", held)
"""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout


WITHOUT_SECCOMP = "syscalls.confine = lambda: (_ for _ in ()).throw(OSError())"
WITHOUT_LANDLOCK = "sandbox._landlock_version = lambda: 0"


@pytest.mark.parametrize(
    ("attempt", "errno_name"),
    [
        ("open('/etc/passwd').read()", "EACCES"),
        ("os.listdir('/')", "EACCES"),
        ("open('/tmp/leitstand-probe', 'w')", "EACCES"),
        ("os.execv('/bin/true', ['true'])", "EACCES"),
    ],
)
def test_landlock_alone_closes_files(attempt, errno_name):
    said = _confined(WITHOUT_SECCOMP, attempt)
    assert said.startswith(errno_name)
    assert "'seccomp': False" in said


@pytest.mark.parametrize(
    "attempt", ["open('/etc/passwd').read()", "socket.socket()", "os.fork()", "os.listdir('/')"]
)
def test_seccomp_alone_closes_files_and_network(attempt):
    said = _confined(WITHOUT_LANDLOCK, attempt)
    assert said.startswith("EPERM")
    assert "'landlock': False" in said


def test_limits_alone_bound_memory_and_files():
    both = WITHOUT_SECCOMP + "\n" + WITHOUT_LANDLOCK
    assert _confined(both, "bytearray(3 << 30)").startswith("MemoryError")
    written = _confined(
        both + "\nopened = os.memfd_create('x')", "print(os.write(opened, bytes(1000)))"
    )
    assert written.startswith("EFBIG")


def test_a_process_that_loaded_nothing_before_is_confined_as_well():
    said = _confined("", "open('/etc/passwd').read()")
    assert said.startswith("EPERM")
    assert "False" not in said


def test_the_decoder_in_the_table_is_the_one_that_runs_confined(zygote):
    with zygote.spawn("abilities", {}) as child:
        child.wait()
        assert all(child.abilities.values())


@pytest.mark.parametrize("ability", ["landlock", "seccomp"])
def test_where_an_ability_is_missing_no_role_runs(ability):
    hook = f"hostile_roles:preload_without_{ability}"
    with Zygote.start(ROLES, preload=[hook]) as lacking:
        assert lacking.abilities() == {**dict.fromkeys(SANDBOX, True), ability: False}
        with lacking.spawn("survey", {}) as child, pytest.raises(ChildError) as caught:
            child.wait()
        assert (caught.value.code, caught.value.params) == ("sandbox-lacks", {"missing": ability})
        with pytest.raises(Problem, match="sandbox-lacks"), Path(__file__).open("rb") as file:
            take(lacking, file.fileno(), 100)


@pytest.mark.parametrize("role", ["claim_to_lack", "claim_to_lack_again"])
def test_a_child_that_was_taken_over_cannot_say_that_its_sandbox_lacks_anything(role):
    with (
        Zygote.start({"intake": f"hostile_roles:{role}"}, preload=()) as sound,
        Path(__file__).open("rb") as file,
        pytest.raises(Problem, match="intake-died") as caught,
    ):
        take(sound, file.fileno(), 100)
    assert "Erika" not in str(caught.value)
