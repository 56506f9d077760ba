"""Programs that stand in for a decoder. Everything is imported before the sandbox closes."""

# System calls are made here one by one, on purpose.
# ruff: noqa: PTH104, PTH108, PTH116, PTH123, PTH208, PERF401

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
import signal
import socket
import threading
import time

from leitstand.media import sandbox, syscalls

_libc = ctypes.CDLL(None, use_errno=True)
GIB = 1024**3
PID_OF_NOBODY = 2**30
"""Above the highest that Linux gives out (2**22)."""


def _call(name, *arguments):
    if getattr(_libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _raw(number, *arguments):
    if _libc.syscall(ctypes.c_long(number), *arguments) < 0:
        raise OSError(ctypes.get_errno(), str(number))


def _fork():
    if os.fork() == 0:
        os._exit(0)


def _open_many(descriptor):
    opened = []
    try:
        for _ in range(sandbox.DESCRIPTORS_MAX):
            opened.append(os.dup(descriptor))
    finally:
        for number in opened:
            os.close(number)


def _attempts(request, descriptors):
    memory, network = descriptors
    address = socket.inet_aton("127.0.0.1")
    sockaddr = (socket.AF_INET).to_bytes(2, "little") + request["port"].to_bytes(2) + address
    sockaddr += bytes(8)
    libc_address = ctypes.cast(_libc.getpid, ctypes.c_void_p).value or 0
    page = ctypes.create_string_buffer(16)
    return {
        "read a file": lambda: open(request["secret"], "rb").read(),
        "write a file": lambda: open(request["secret"], "ab"),
        "make a file": lambda: os.open("/tmp/leitstand-probe", os.O_CREAT | os.O_WRONLY),
        "look at a file": lambda: os.stat(request["secret"]),
        "list a folder": lambda: os.listdir("/"),
        "remove a file": lambda: os.unlink(request["secret"]),
        "rename a file": lambda: os.rename(request["secret"], request["secret"] + "x"),
        "read its environment": lambda: open("/proc/self/environ", "rb").read(),
        "read memory of the parent": lambda: open(f"/proc/{request['parent']}/mem", "rb"),
        "open a socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "open a unix socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        "make a socket pair": socket.socketpair,
        "connect a socket it was handed": lambda: _call("connect", network, sockaddr, 16),
        "send on a socket it was handed": lambda: _call(
            "sendto", network, b"x", 1, 0, sockaddr, 16
        ),
        "fork": _fork,
        "vfork and run a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "run a program": lambda: os.execv("/bin/true", ["true"]),
        "trace the parent": lambda: _call("ptrace", 16, request["parent"], None, None),
        "be traced": lambda: _call("ptrace", 0, 0, None, None),
        "copy memory of the parent": lambda: _call(
            "process_vm_readv", request["parent"], page, 1, page, 1, 0
        ),
        "signal the parent": lambda: os.kill(request["parent"], 0),
        "signal everyone": lambda: os.kill(-1, 0),
        # Nobody has this number: whoever may ask hears ESRCH, and not what Landlock says to others.
        "signal a thread of another": lambda: _call("tgkill", PID_OF_NOBODY, PID_OF_NOBODY, 0),
        "read a limit of the parent": lambda: resource.prlimit(
            request["parent"], resource.RLIMIT_NOFILE
        ),
        "open many descriptors": lambda: _open_many(memory),
        "write 3 GiB": lambda: os.write(memory, bytes(1024)),
        "grow memory it was handed": lambda: os.ftruncate(memory, 3 * GIB),
        "make shared memory": lambda: os.memfd_create("x"),
        "map memory to execute": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_EXEC | mmap.PROT_READ),
        "make code writable": lambda: _call(
            "mprotect", ctypes.c_void_p(libc_address & ~4095), 4096, 7
        ),
        "raise its memory limit": lambda: resource.setrlimit(
            resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        ),
        "raise its file limit": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (GIB, GIB)),
        "mount": lambda: _call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "leave its namespaces": lambda: _call("unshare", 0x10000000),
        "change root": lambda: os.chroot("/tmp"),
        "become dumpable": lambda: _call("prctl", 4, 1, 0, 0, 0),
        "outlive its parent": lambda: _call("prctl", 1, 0, 0, 0, 0),
        "use io_uring": lambda: _raw(425, 1, page),
        "load a kernel program": lambda: _raw(321, 0, page, 16),
        "clone by the new call": lambda: _raw(435, page, 0),
        "own signals of a descriptor": lambda: _call("fcntl", memory, 8, request["parent"]),
    }


def probe(request, descriptors, channel):
    """What each attempt came to: the name of an errno, `MemoryError`, or `done`."""
    outcomes = {}
    for name, attempt in _attempts(request, descriptors).items():
        try:
            attempt()
            outcomes[name] = "done"
        except OSError as error:
            outcomes[name] = errno.errorcode[error.errno]
        except (ValueError, MemoryError) as error:
            outcomes[name] = type(error).__name__
    return outcomes


def swallow(request, descriptors, channel):
    """How many of 3 GiB it got, in pieces of 64 MiB."""
    held = []
    try:
        for _ in range(48):
            held.append(b"\1" * (64 * 1024**2))
    except MemoryError:
        taken = len(held)
        held.clear()
        return taken * 64
    return 3072


def swallow_at_once(request, descriptors, channel):
    return len(bytearray(3 * GIB))


def survey(request, descriptors, channel):
    """What it was born with: open descriptors, environment, whether threads work."""
    numbers = []
    for number in range(256):
        try:
            os.lseek(number, 0, os.SEEK_CUR)
        except OSError as error:
            if error.errno == errno.EBADF:
                continue
        numbers.append(number)
    results = []
    thread = threading.Thread(target=lambda: results.append("ran"))
    thread.start()
    thread.join()
    return {
        "open": numbers,
        "given": [channel.fileno(), *descriptors],
        "environment": dict(os.environ),
        "thread": results,
    }


def crash(request, descriptors, channel):
    ctypes.string_at(0)


def burn(request, descriptors, channel):
    while True:
        pass


def hang(request, descriptors, channel):
    channel.send({"pid": os.getpid()})
    channel.receive()


def doze(request, descriptors, channel):
    channel.send({"pid": os.getpid()})
    time.sleep(600)


def garbage(request, descriptors, channel):
    os.write(channel.fileno(), b"\xff" * 64)


def not_json(request, descriptors, channel):
    os.write(channel.fileno(), bytes([0, 0, 0, 2, 0, 0, 0, 0]) + b"{[")


def leave(request, descriptors, channel):
    os._exit(0)


def fail(request, descriptors, channel):
    raise ValueError(request["secret"])


def refuse(request, descriptors, channel):
    from leitstand.media.channel import Refused

    raise Refused("too-much", amount=7)


def claim_to_lack(request, descriptors, channel):
    """Wants the whole batch given up, in words of its own."""
    from leitstand.media.channel import Refused

    raise Refused("sandbox-lacks", missing="Erika was here")


def claim_to_lack_again(request, descriptors, channel):
    """Says so as a child does that could not be confined."""
    from leitstand.media.channel import Channel

    Channel.send(channel, {"ready": {"landlock": False}})
    claim_to_lack(request, descriptors, channel)


def echo(request, descriptors, channel):
    """Returns every message it gets until one says `stop`."""
    count = 0
    while (message := channel.receive()) is not None and not message.head.get("stop"):
        channel.send(message.head, message.body)
        count += 1
    return count


def killed(request, descriptors, channel):
    """Dies as the kernel kills a process to save the machine."""
    channel.send({"pid": os.getpid()})
    time.sleep(600)


def lie(request, descriptors, channel):
    """Says of a picture what the request (stolen `format`) tells it to."""
    import json

    channel.send(json.loads(request["format"]))
    return {"gaps": []}


def lie_at_the_end(request, descriptors, channel):
    import json

    return json.loads(request["format"])


def preload_that_fails():
    raise RuntimeError("no")


def preload_that_leaves_a_thread():
    threading.Thread(target=signal.pause, daemon=True).start()


def preload_without_landlock():
    sandbox._landlock_version = lambda: 0


def preload_without_seccomp():
    def missing():
        raise OSError

    syscalls.confine = missing
