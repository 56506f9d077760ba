"""The zygote process itself: loads libraries, then forks one confined child per order.

It runs one thread and one loop. It ends when the connection to its parent ends, and every child
ends with it; a child is ended when the parent's end of its status socket closes.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from leitstand.core.admission import SANDBOX
from leitstand.media import sandbox, syscalls
from leitstand.media.channel import Channel, ChannelError, Refused

ORDER_BYTES_MAX = 16 * 1024
DESCRIPTORS_PER_ORDER_MAX = 16
_PR_SET_PDEATHSIG = 1

Role = Callable[[Mapping[str, Any], Sequence[int], Channel], Any]


class RoleChannel(Channel):
    """The child's end as a role sees it: what it sends is told apart from the end of the role."""

    def send(self, head: Mapping[str, Any], body: Any = b"") -> None:
        super().send({"message": head}, body)


def serve(descriptor: int, order: str) -> NoReturn:
    """Main function of the zygote process; `order` is JSON from `Zygote.start`."""
    control = socket.socket(fileno=descriptor)
    try:
        settings = json.loads(order)
        _die_with_parent(settings["parent"])
        sandbox.hide()
        _load_libraries(settings["preload"])
        roles = _find_roles(settings["roles"])
        threads = sum(1 for _ in Path("/proc/self/task").iterdir())
        if threads != 1:
            raise RuntimeError(f"{threads} threads after loading, a fork would lose them")
    except BaseException as error:
        control.send(json.dumps({"error": _place(error)}).encode())
        os._exit(1)
    gc.collect()
    gc.freeze()
    control.send(b"{}")
    _Nursery(control, roles).run()
    os._exit(0)


def abilities(request: Mapping[str, Any], descriptors: Sequence[int], channel: Channel) -> None:
    """The role that does nothing: its confinement is the answer."""


def _die_with_parent(parent: int) -> None:
    """The kernel ends the zygote with the thread that started it, where that is the main thread;
    a parent that started it elsewhere is noticed by the end of the connection."""
    if parent:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def _load_libraries(preload: Sequence[str]) -> None:
    """Everything a child may import or open later, since the sandbox opens no file."""
    import av
    import av.logging
    import numpy.lib.stride_tricks  # noqa: F401
    from PIL import Image

    av.logging.set_level(None)
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith(("__main__", ".datasets")):
            importlib.import_module(module.name)
    Image.init()
    syscalls.load_library()
    for name in preload:
        hook = _find(name)
        if hook is not None:
            hook()


def _find_roles(names: Mapping[str, str]) -> dict[str, Role | None]:
    return {role: _find(name) for role, name in names.items()}


def _find(name: str) -> Callable[..., Any] | None:
    """The function `module:function`; None where the module is not installed."""
    module_name, function = name.split(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name == module_name:
            return None
        raise
    found: Callable[..., Any] = getattr(module, function)
    return found


class _Nursery:
    """The loop: orders from the parent, kills from the parent, exits of children."""

    def __init__(self, control: socket.socket, roles: Mapping[str, Role | None]) -> None:
        self._control = control
        self._roles = roles
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._children: dict[int, tuple[int, socket.socket]] = {}
        self._watched: dict[int, int] = {}

    def run(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._control.fileno():
                    if not self._take_order():
                        return
                elif descriptor in self._children:
                    self._reap(descriptor)
                elif descriptor in self._watched:
                    self._end(descriptor)

    def _take_order(self) -> bool:
        """Forks for one order; False at the end of the connection."""
        try:
            order, received, _, _ = socket.recv_fds(
                self._control, ORDER_BYTES_MAX, DESCRIPTORS_PER_ORDER_MAX
            )
        except ConnectionError:
            return False
        if not order:
            return False
        channel, status, *descriptors = received
        try:
            pid = os.fork()
        except OSError as error:
            os.write(status, json.dumps({"error": "no-fork", "params": _errno(error)}).encode())
            for descriptor in received:
                os.close(descriptor)
            return True
        if pid == 0:
            _run_child(json.loads(order), self._roles, channel, descriptors)
        for descriptor in (channel, *descriptors):
            os.close(descriptor)
        self._watch(pid, socket.socket(fileno=status))
        return True

    def _watch(self, pid: int, status: socket.socket) -> None:
        process = os.pidfd_open(pid)
        self._children[process] = (pid, status)
        self._watched[status.fileno()] = process
        self._poll.register(process, select.POLLIN)
        self._poll.register(status, select.POLLIN)

    def _end(self, status: int) -> None:
        """The parent said kill, or dropped the child."""
        self._poll.unregister(status)
        pid, _ = self._children[self._watched.pop(status)]
        os.kill(pid, signal.SIGKILL)

    def _reap(self, process: int) -> None:
        pid, status = self._children.pop(process)
        self._poll.unregister(process)
        os.close(process)
        _, code = os.waitpid(pid, 0)
        if self._watched.pop(status.fileno(), None) is not None:
            self._poll.unregister(status)
        ended = os.waitstatus_to_exitcode(code)
        report = {"signal": -ended} if ended < 0 else {"status": ended}
        with contextlib.suppress(OSError), status:
            status.send(json.dumps(report).encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def _run_child(
    order: Mapping[str, Any],
    roles: Mapping[str, Role | None],
    channel_descriptor: int,
    descriptors: Sequence[int],
) -> NoReturn:
    """Confines this process, runs the role where every ability of the sandbox holds, and ends;
    never returns to the loop."""
    channel = Channel(channel_descriptor)
    try:
        zygote = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != zygote:
            os._exit(1)
        _keep_only({0, 1, 2, channel_descriptor, *descriptors})
        held = sandbox.confine(sandbox.Limits(**order["limits"]))
        channel.send({"ready": held})
        message = channel.receive()
        if message is not None:
            lacking = ", ".join(ability for ability in SANDBOX if not held[ability])
            channel.send(
                {"refused": "sandbox-lacks", "params": {"missing": lacking}}
                if lacking
                else _outcome(roles.get(order["role"]), message.head, descriptors, channel)
            )
    except ChannelError:
        os._exit(0)
    except BaseException as error:
        with contextlib.suppress(BaseException):
            channel.send({"refused": "role-failed", "params": {"at": _place(error)}})
        os._exit(2)
    os._exit(0)


def _outcome(
    role: Role | None, request: Mapping[str, Any], descriptors: Sequence[int], channel: Channel
) -> dict[str, Any]:
    """Runs the role and puts its end into the last message."""
    if role is None:
        return {"refused": "no-role"}
    try:
        return {"done": role(request, descriptors, RoleChannel(channel.fileno()))}
    except Refused as refused:
        return {"refused": refused.code, "params": refused.params}
    except MemoryError:
        gc.collect()
        return {"refused": "memory-limit"}
    except ChannelError:
        raise
    except Exception as error:
        return {"refused": "role-failed", "params": {"at": _place(error)}}


def _keep_only(kept: set[int]) -> None:
    """Closes every other descriptor: those of the zygote and of other children."""
    low = 0
    for descriptor in sorted(kept):
        if low < descriptor:  # an empty range would close everything
            os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def _place(error: BaseException) -> str:
    """Type and place of an error. Never its message, which may hold what media said."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    where = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{type(error).__name__} at {where}:{trace.tb_lineno}"


def _errno(error: OSError) -> dict[str, int | None]:
    return {"errno": error.errno}
