"""Messages between a process and its sandboxed child: a small JSON head and optional raw bytes.

Plain `read` and `write` on a connected stream socket, so the child needs no socket call. The child
may have been taken over by the bytes it decodes: every length is checked before memory is taken.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from leitstand.core.limits import MIB

if TYPE_CHECKING:
    from typing_extensions import Buffer

HEAD_BYTES_MAX = 4 * MIB
BODY_BYTES_MAX = 128 * MIB
"""Above the largest segment, which travels as one body."""

_LENGTHS = struct.Struct("!II")


class ChannelError(Exception):
    """The other side broke the protocol, or went away in the middle of a message."""


class ChannelTimeout(Exception):
    """Nothing came within the time allowed."""


class Refused(Exception):
    """What a role raises for input it does not take; reaches the parent as `ChildError(code)`."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


class Message(NamedTuple):
    """One message as received."""

    head: dict[str, Any]
    body: bytes | bytearray = b""


class Channel:
    """One end of a channel; owns its descriptor. Used by one thread at a time."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        """Closes the descriptor; safe to call again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def send(self, head: Mapping[str, Any], body: Buffer = b"") -> None:
        """Sends one message and blocks while the other side does not read.

        Raises `ChannelError` when the other side is gone, `ValueError` above the size limits.
        """
        encoded = json.dumps(head, separators=(",", ":")).encode()
        raw = memoryview(body).cast("B")
        if len(encoded) > HEAD_BYTES_MAX or len(raw) > BODY_BYTES_MAX:
            raise ValueError("message above the size limit")
        self._write(memoryview(_LENGTHS.pack(len(encoded), len(raw)) + encoded))
        self._write(raw)

    def receive(self, seconds: float | None = None) -> Message | None:
        """The next message; None when the other side closed between messages.

        `seconds` bounds the wait for the whole message. Raises `ChannelTimeout`, `ChannelError`.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        lengths = self._read(_LENGTHS.size, deadline, start=True)
        if lengths is None:
            return None
        head_bytes, body_bytes = _LENGTHS.unpack(lengths)
        if head_bytes > HEAD_BYTES_MAX or body_bytes > BODY_BYTES_MAX:
            raise ChannelError("message above the size limit")
        encoded = self._read(head_bytes, deadline) or b""
        body = self._read(body_bytes, deadline) if body_bytes else b""
        try:
            head = json.loads(encoded)
        except (ValueError, RecursionError) as error:
            raise ChannelError("head is not JSON") from error
        if not isinstance(head, dict):
            raise ChannelError("head is not an object")
        return Message(head, body or b"")

    def _write(self, raw: memoryview) -> None:
        while raw:
            try:
                raw = raw[os.write(self._descriptor, raw) :]
            except (BrokenPipeError, ConnectionResetError) as error:
                raise ChannelError("the other side is gone") from error

    def _read(self, size: int, deadline: float | None, *, start: bool = False) -> bytearray | None:
        """Exactly `size` bytes; None at a clean end where a message may `start`."""
        whole = bytearray()
        while len(whole) < size:
            if deadline is not None:
                left = max(0.0, deadline - time.monotonic())
                if not self._poll.poll(left * 1000):
                    raise ChannelTimeout
            try:
                part = os.read(self._descriptor, min(size - len(whole), MIB))
            except ConnectionResetError:
                part = b""
            if not part:
                if start and not whole:
                    return None
                raise ChannelError("ended inside a message")
            whole += part
        return whole
