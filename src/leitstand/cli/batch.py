"""From paths to media at the control plane: the first half of `analyze` and `plan`."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from leitstand.cli import early
from leitstand.cli.files import Given, gather
from leitstand.cli.options import Session
from leitstand.config import MediaSettings
from leitstand.core import limits
from leitstand.core.problem import Exit, Problem
from leitstand.output import Output, cut, pad
from leitstand.upload import Repeated, Sent, Take, Uploads

_ORDER = (Exit.REFUSED, Exit.NO_CAPACITY, Exit.UNREACHABLE, Exit.USAGE, Exit.FAILED)
"""Where nothing was done, the first of these that applies is the exit code."""
_LIBRARIES = ("av", "magika", "numpy", "PIL", "cv2")
_NOT_MEANT = frozenset({"not-media", "archive"})
"""What a file found in a folder, not typed, is simply left out for."""
_MEDIA_NAMES = re.compile(
    r"\.(3gp|aac|aif[cf]?|amr|asf|au|avif?|bmp|caf|e?ac3|flac|flv|gif|hei[cf]|ivf|jpe?g|m2ts|m2v|m4[av]"
    r"|mk[av]|mov|mp[34]|mpe?g|mts|mxf|og[agv]|opus|png|tiff?|ts|tta|vob|w64|wav|web[mp]|wm[av]|wv)$",
    re.IGNORECASE,
)
"""How names of media end. An empty file has nothing else to tell what it was meant to be."""


Refused = tuple[Given, Problem]
"""A file, and why intake does not take it."""


@dataclass(slots=True)
class Batch:
    """What became of the files of one command."""

    media: list[Sent] = field(default_factory=list)
    failed: list[tuple[str, Problem]] = field(default_factory=list)
    left_out: int = 0

    def exit(self) -> int:
        """The exit code where none of the files could be taken."""
        codes = {problem.exit for _, problem in self.failed}
        return next((code for code in _ORDER if code in codes), Exit.FAILED)


def libraries() -> None:
    """Looks for what reads media, here and in the workers of this machine. Raises Problem:
    `missing-extra` without the extra `[media]`, `graphics-library-missing` without the libraries
    of the system that OpenCV wants and no wheel brings."""
    for name in _LIBRARIES:
        if importlib.util.find_spec(name) is None:
            raise Problem("missing-extra", Exit.USAGE, extra="media", missing=name)
    try:
        importlib.import_module("cv2")
    except ImportError as error:
        missing = str(error).partition(":")[0]
        raise Problem("graphics-library-missing", Exit.USAGE, missing=missing) from error


@contextmanager
def intake(settings: MediaSettings) -> Iterator[Take]:
    """The sandboxed look at files. Raises Problem as `libraries`.

    Its process is begun before this one has connections or keys to inherit.
    """
    root = early.zygote()
    try:
        libraries()
        from leitstand.media.intake import IntakeLimits, take

        bounds = IntakeLimits(
            segment_seconds=settings.segment_seconds,
            segment_bytes_max=settings.segment_mib_max * limits.MIB,
            pixels_max=settings.pixels_max,
            seconds_max=settings.seconds_max,
        )
        yield lambda descriptor, size: take(root, descriptor, size, bounds)
    finally:
        root.close()


def send(session: Session, paths: Sequence[str], uploads: Uploads) -> Batch:
    """Take every file; what goes wrong with one is said and the rest goes on."""
    output, batch = session.output, Batch()
    gathered = gather(paths)
    for name, problem in gathered.problems:
        _fail(output, batch, name, problem)
    for given in gathered.files:
        output.event("file", name=given.name)
        output.live(f"  {pad(cut(given.name, 24), 11)} {output.say('cli-reading')}")
        try:
            batch.media.append(uploads.send(given.path, given.name))
        except Repeated as repeated:
            first = "none" if repeated.first == given.name else repeated.first
            output.warn(output.say("cli-same-file", name=given.name, first=first))
        except Problem as problem:
            if problem.exit is Exit.UNREACHABLE or problem.code == "sandbox-lacks":
                raise
            _refused(output, batch, given, problem)
    output.done_live()
    _say_left_out(output, batch)
    return _not_empty(batch, paths)


def without(session: Session, paths: Sequence[str], refused: Sequence[Refused]) -> Batch:
    """What is said of files that are in no job, where the others have one already."""
    output, batch = session.output, Batch()
    for name, problem in gather(paths).problems:
        _fail(output, batch, name, problem)
    for given, problem in refused:
        _refused(output, batch, given, problem)
    _say_left_out(output, batch)
    return batch


def progress(output: Output) -> Any:
    """A live line while a file is encrypted and sent."""

    def told(name: str, sent: int) -> None:
        size = output.texts.size(sent)
        output.live(f"  {pad(cut(name, 24), 11)} {output.say('cli-sending', size=size)}")

    return told


def described(output: Output, media: Sequence[Sent]) -> str:
    """`1 image, 1 video (1:19.5), 1 audio`."""
    parts = []
    for kind in ("image", "video", "audio"):
        of_kind = [medium for medium in media if medium.kind == kind]
        if not of_kind:
            continue
        seconds = sum(medium.duration_s or 0.0 for medium in of_kind)
        long = "none"
        if kind != "image" and seconds:
            clock, words = output.texts.clock(seconds), output.texts.duration(seconds)
            long = words if seconds >= 3600 else clock
        parts.append(output.say(f"cli-kind-{kind}", count=len(of_kind), long=long))
    return ", ".join(parts)


def _fail(output: Output, batch: Batch, name: str, problem: Problem) -> None:
    batch.failed.append((name, problem))
    output.problem(problem)


def _refused(output: Output, batch: Batch, given: Given, problem: Problem) -> None:
    if _foreign(given, problem):
        batch.left_out += 1
        output.detail(output.texts.problem(problem.code, problem.params).what)
    else:
        _fail(output, batch, given.name, problem)


def _say_left_out(output: Output, batch: Batch) -> None:
    if batch.left_out:
        output.warn(output.say("cli-left-out", count=batch.left_out))


def _foreign(given: Given, problem: Problem) -> bool:
    """Whether a file only lies in the same folder. An empty one whose name is that of a medium was
    meant, and its content is lost."""
    if given.named:
        return False
    if problem.code == "empty-file":
        return not _MEDIA_NAMES.search(given.name)
    return problem.code in _NOT_MEANT


def _not_empty(batch: Batch, paths: Sequence[str]) -> Batch:
    if not batch.media and not batch.failed:
        raise Problem("no-files", Exit.USAGE, path=", ".join(paths))
    return batch
