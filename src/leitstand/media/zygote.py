"""The parent's side of sandboxed children: start the zygote, spawn a child, talk to it, end it.

The zygote is a clean process (`leitstand.media.forking`) with an empty environment that has loaded
every library a child may need, because the sandbox opens no file. It holds no key and no media. It
forks one child per request; a child that crashes or exceeds a limit costs nobody else anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from leitstand.media.channel import Channel, ChannelError, ChannelTimeout, Message
from leitstand.media.closing import Closing
from leitstand.media.sandbox import Limits

if TYPE_CHECKING:
    from typing_extensions import Buffer

ROLES: Mapping[str, str] = {
    "abilities": "leitstand.media.forking:abilities",
    "decode_frames": "leitstand.media.decoding:decode_frames",
    "decode_audio": "leitstand.media.decoding:decode_audio",
    "intake": "leitstand.media.examine:intake",
}
"""What a child may be asked to do: name -> `module:function`, imported before any fork.

`function(request, descriptors, channel) -> JSON` runs confined. It may send messages on `channel`
while it works, and raises `Refused(code, **params)` for bad input.
"""

PRELOAD: Sequence[str] = ("leitstand.media.identify:preload",)
"""Called in the zygote before any fork, to load what a role needs; must leave no thread behind."""

START_SECONDS_MAX = 60.0
SILENCE_SECONDS = 60.0
"""How long a child may say nothing before it counts as hung."""

_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}
_BOOTSTRAP = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]);"
    "from leitstand.media.forking import serve; serve(int(sys.argv[2]), sys.argv[3])"
)


class ZygoteError(Exception):
    """The zygote did not start or is gone; start another one."""


class ChildError(Exception):
    """A child did not finish its role.

    `code` is what the role refused with, or one of: `crashed` (a signal, in `params["signal"]`),
    `cpu-limit`, `memory-limit`, `time-limit`, `protocol` (it sent nonsense), `role-failed` (a bug:
    exception type and place in `params`), `no-role` (its module is not there), `killed`,
    `sandbox-lacks` (it could not be confined, and did nothing; `params["missing"]` says by what).
    """

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params: Mapping[str, Any] = params

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.code}({shown})"


class Child(Closing):
    """One sandboxed child. Used by one thread at a time; `kill` may come from any thread.

    Closing it (or leaving its `with` block, or losing the last reference) kills what still runs.
    """

    def __init__(self, channel: Channel, status: socket.socket, silence_seconds: float) -> None:
        self._channel = channel
        self._status = status
        self._silence_seconds = silence_seconds
        self._result: Any = None
        self._done = False
        self._killed = False
        self._exit: dict[str, Any] | None = None
        self.abilities: Mapping[str, bool] = {}
        """What the sandbox of this child holds; known once its first message was taken, which it
        sends before it has seen what could take it over."""

    def send(self, head: Mapping[str, Any], body: Buffer = b"") -> None:
        """Sends a message to the role; raises `ChildError` when the child is gone."""
        try:
            self._channel.send(head, body)
        except ChannelError:
            raise self._ended() from None

    def receive(self) -> Message | None:
        """The next message of the role; None once it finished well. Raises `ChildError`."""
        while not self._done:
            message = self._next()
            if "ready" in message.head and not self.abilities:
                self.abilities = message.head["ready"]
            elif "done" in message.head:
                self._result = message.head["done"]
                self._done = True
            elif "refused" in message.head:
                self.kill()
                raise ChildError(str(message.head["refused"]), **_params(message.head))
            elif "message" in message.head and isinstance(message.head["message"], dict):
                return Message(message.head["message"], message.body)
            else:
                self.kill()
                raise ChildError("protocol")
        return None

    def messages(self) -> Iterator[Message]:
        """Every message until the role finished. Raises `ChildError`."""
        while (message := self.receive()) is not None:
            yield message

    def wait(self) -> Any:
        """Drops remaining messages and returns the role's result. Raises `ChildError`."""
        for _ in self.messages():
            pass
        return self._result

    def kill(self) -> None:
        """Ends the child now; safe at any time, more than once, and from another thread."""
        self._killed = True
        with contextlib.suppress(OSError):
            self._status.send(b"kill")

    def close(self) -> None:
        """Kills the child if it still runs and gives every descriptor back."""
        self.kill()
        self._status.close()
        self._channel.close()

    def __del__(self) -> None:
        if hasattr(self, "_channel"):
            self.close()

    def _next(self) -> Message:
        try:
            message = self._channel.receive(self._silence_seconds)
        except ChannelTimeout:
            self.kill()
            raise ChildError("time-limit", seconds=self._silence_seconds) from None
        except ChannelError:
            message = None
        if message is None:
            raise self._ended()
        return message

    def _ended(self) -> ChildError:
        """Why the child went away, as the zygote saw it."""
        if self._exit is None:
            self._exit = self._exit_report()
        number = self._exit.get("signal")
        if "error" in self._exit:
            return ChildError(str(self._exit["error"]), **_params(self._exit))
        if self._killed:
            return ChildError("killed")
        if number == signal.SIGXCPU:
            return ChildError("cpu-limit")
        if number is not None:
            return ChildError("crashed", signal=number)
        return ChildError("protocol", status=self._exit.get("status"))

    def _exit_report(self) -> dict[str, Any]:
        try:
            self._status.settimeout(self._silence_seconds)
            report = json.loads(self._status.recv(4096) or b"{}")
        except (OSError, ValueError):
            return {}
        return report if isinstance(report, dict) else {}


class Zygote(Closing):
    """The running zygote. `spawn` may be called from several threads.

    It ends with `close`, with this process, and its children end with it.
    """

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._lock = threading.Lock()
        self._ready = False

    @property
    def pid(self) -> int:
        """Its process id, for whoever watches memory and processor time."""
        return self._process.pid

    @classmethod
    def start(
        cls, extra_roles: Mapping[str, str] | None = None, preload: Sequence[str] = PRELOAD
    ) -> Self:
        """Starts the process and waits until its libraries are loaded. Raises `ZygoteError`."""
        zygote = cls.begin(extra_roles, preload)
        zygote.ready()
        return zygote

    @classmethod
    def begin(
        cls, extra_roles: Mapping[str, str] | None = None, preload: Sequence[str] = PRELOAD
    ) -> Self:
        """Starts the process and does not wait for it; the first `spawn` does.

        Call it early, from the main thread, before keys exist.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = [entry for entry in sys.path if entry and Path(entry).is_absolute()]
        order = {
            "roles": {**ROLES, **(extra_roles or {})},
            "preload": list(preload),
            "parent": os.getpid() if threading.current_thread() is threading.main_thread() else 0,
        }
        with theirs:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-c", _BOOTSTRAP),
                    *(json.dumps(path), str(theirs.fileno()), json.dumps(order)),
                ],
                env=_ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        return cls(process, ours)

    def ready(self) -> None:
        """Waits until its libraries are loaded; at once where they are. Raises `ZygoteError`, and
        the zygote is closed then."""
        with self._lock:
            error = None if self._ready else self._first_answer().get("error")
            self._ready = error is None
        if error is not None:
            self.close()
            raise ZygoteError(error)

    def _first_answer(self) -> dict[str, Any]:
        try:
            self._control.settimeout(START_SECONDS_MAX)
            answer: dict[str, Any] = json.loads(self._control.recv(65536) or b'{"error": "ended"}')
            self._control.settimeout(None)
        except (OSError, ValueError) as error:
            return {"error": type(error).__name__}
        return answer

    def spawn(
        self,
        role: str,
        request: Mapping[str, Any],
        descriptors: Sequence[int] = (),
        *,
        limits: Limits | None = None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> Child:
        """Forks a confined child that runs `role` with `request` and copies of `descriptors`.

        The caller keeps its own descriptors and may close them at once. `silence_seconds` bounds
        the wait for each message. Raises `ZygoteError` when the zygote is gone, `KeyError` for a
        role that is in no table; everything else is told by the child as `ChildError`.
        """
        self.ready()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        status, reporting = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        child = Child(Channel(ours.detach()), status, silence_seconds)
        order = json.dumps({"role": role, "limits": asdict(limits or Limits())}).encode()
        with theirs, reporting:
            try:
                with self._lock:
                    socket.send_fds(
                        self._control,
                        [order],
                        [theirs.fileno(), reporting.fileno(), *descriptors],
                    )
            except OSError as error:
                child.close()
                raise ZygoteError("gone") from error
        child.send(request)
        return child

    def abilities(self) -> Mapping[str, bool]:
        """What a child's sandbox really holds here, learnt by confining one. Raises as `spawn`."""
        with self.spawn("abilities", {}) as child:
            try:
                child.wait()
            except ChildError as error:
                if error.code != "sandbox-lacks":
                    raise
            return child.abilities

    def close(self) -> None:
        """Ends the zygote and all its children, and waits for it; safe to call again."""
        with self._lock:
            self._control.close()
            if not self._ready:
                self._process.kill()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _params(head: Mapping[str, Any]) -> dict[str, Any]:
    params = head.get("params", {})
    return dict(params) if isinstance(params, dict) else {}
