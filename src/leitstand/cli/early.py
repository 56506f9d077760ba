"""The process that looks at files, begun before the command's own modules are loaded.

Both take about as long, and there is more than one core: the file is read that much sooner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leitstand.media.zygote import Zygote

_LOOKING = ("analyze", "plan")
_begun: list[Zygote] = []


def begin(arguments: Sequence[str]) -> None:
    """Begin it where the command will need it."""
    if arguments and arguments[0] in _LOOKING and "--help" not in arguments:
        _begun.append(zygote())


def zygote() -> Zygote:
    """The one that was begun, or a new one; whoever takes it closes it."""
    from leitstand.media.zygote import Zygote

    return _begun.pop() if _begun else Zygote.begin()


def end() -> None:
    """Close what nobody took, because the command ended before."""
    while _begun:
        _begun.pop().close()
