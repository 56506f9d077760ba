"""One attempt: key, models, then segment by segment to a committed result, and the report of how
it ended.

Committing a segment is the checkpoint; whoever takes the task next gets only what is missing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from leitstand.core.finding import Gap, Line, Stats, encode, packed
from leitstand.core.job import FUSE
from leitstand.core.limits import MAILBOX_AFTER_SECONDS, RESULT_BYTES_MAX
from leitstand.core.model import ModelVersion
from leitstand.media.decode import DecodeError, sealed_memfd
from leitstand.media.zygote import Zygote
from leitstand.ports import Model, Pipeline
from leitstand.vault.envelope import Identity, Recipient, encrypt, encrypted_size
from leitstand.vault.release import HpkeKey, ReleaseError
from leitstand.worker import fuse, mailbox
from leitstand.worker.blame import Failure, judge, place
from leitstand.worker.cache import ModelFiles
from leitstand.worker.infer import Sessions
from leitstand.worker.lease import Segment
from leitstand.worker.link import Fenced, Link, Refused, Unreachable
from leitstand.worker.live import Ended, LiveAttempt
from leitstand.worker.source import DecodedSegment, plaintext
from leitstand.worker.stages import Stages

_log = structlog.get_logger("worker.attempt")


@dataclass(frozen=True, slots=True)
class Tools:
    """What every attempt of a worker shares."""

    link: Link
    files: ModelFiles
    sessions: Sessions
    zygote: Zygote
    release_key: HpkeKey


def work(live: LiveAttempt, tools: Tools) -> Failure | None:
    """Run the attempt to its end, say how it ended, and return why it failed. Never raises.

    An attempt that lost its right to write ends in silence: somebody else has the task.
    """
    lease, stages = live.lease, Stages()
    log = _log.bind(attempt=lease.attempt, task=lease.task, pipeline=lease.pipeline)
    try:
        try:
            held = _Run(live, tools, stages).all()
            outcome, failure = ("held" if held else "done"), None
        except (Ended, Fenced, Unreachable):
            raise
        except Exception as error:
            live.check()
            outcome, failure = "failed", _judged(error)
            log.warning("attempt failed", code=failure.code, blame=failure.blame, at=place(error))
        _finish(live, tools, outcome, failure, stages)
        log.info("attempt over", outcome=outcome)
        return failure
    except (Ended, Fenced, Unreachable, Refused) as error:
        log.info("attempt left", why=type(error).__name__, answer=getattr(error, "code", None))
    except Exception as error:
        log.error(  # noqa: TRY400 - a traceback could quote media
            "attempt not reported", error=type(error).__name__, at=place(error)
        )
    return None


def _judged(error: Exception) -> Failure:
    if isinstance(error, Refused):
        return Failure("control-plane-refused", "us", status=error.status, reason=error.code)
    return judge(error)


def _finish(
    live: LiveAttempt, tools: Tools, outcome: str, failure: Failure | None, stages: Stages
) -> None:
    document = {
        "attempt": live.lease.attempt,
        "fence": live.lease.fence,
        "outcome": outcome,
        "reason": {"code": failure.code, "params": failure.params} if failure else None,
        "blame": failure.blame if failure else None,
        "stage_seconds": stages.seconds(),
    }
    tools.link.patiently(lambda: tools.link.finish(document), live.alive)


class _Run:
    """The steps of one attempt, in order."""

    def __init__(self, live: LiveAttempt, tools: Tools, stages: Stages) -> None:
        self._live = live
        self._lease = live.lease
        self._tools = tools
        self._stages = stages
        self._left: dict[int, tuple[bytes, bool]] = {}
        """Results that lie in the mailbox, sealed, until the control plane said that it has them."""

    def all(self) -> bool:
        """Every segment of the lease; True when a hold ended it early. What lies in the mailbox is
        handed in as well before anything is said of the end: nobody may have looked there yet."""
        try:
            return self._worked()
        finally:
            for number, (sealed, gap) in self._left.items() if self._live.alive() else ():
                self._patiently(lambda: self._put(number, sealed, gap))  # noqa: B023

    def _worked(self) -> bool:
        self._live.keep(self._key())
        if self._lease.pipeline == FUSE:
            return self._each(self._fused)
        pipeline: Pipeline = importlib.import_module(f"leitstand.analysis.{self._lease.pipeline}")
        with contextlib.ExitStack() as stack:
            with self._stages.measure("load"):
                models = {
                    version.family: self._model(version, stack) for version in self._lease.models
                }
            return self._each(lambda segment: self._analyse(pipeline, models, segment))

    def _key(self) -> Identity:
        """The identity that opens what the lease names. The context must be the one the lease
        said and name this attempt: a key meant for another one is refused even if it opens."""
        lease, link = self._lease, self._tools.link
        try:
            blob, info = link.patiently(
                lambda: link.key(lease.attempt, lease.fence), self._live.alive
            )
        except Refused as error:
            predicate = error.params.get("predicate", error.code)
            raise Failure("key-refused", "us", predicate=predicate) from error
        try:
            context = json.loads(info)
            named = (context["attempt"], context["fence"], context["medium"])
        except (ValueError, KeyError, TypeError) as error:
            raise Failure("key-context-wrong", "us") from error
        medium = lease.medium or context["medium"]  # of `fuse` it is the job, which no lease names
        if named != (lease.attempt, lease.fence, medium) or info != lease.release_info:
            raise Failure("key-context-wrong", "us")
        try:
            return Identity.from_secret(self._tools.release_key.open(info, blob))
        except ReleaseError as error:
            raise Failure("key-context-wrong", "us") from error

    def _model(self, version: ModelVersion, stack: contextlib.ExitStack) -> Model:
        tools, live = self._tools, self._live
        loaded = tools.sessions.use(version, lambda: tools.files.read(version, live))
        return _TimedModel(stack.enter_context(loaded), live, self._stages)

    def _each(self, result: Callable[[Segment], tuple[bytes, bool]]) -> bool:
        for segment in self._lease.segments:
            self._live.segment = segment.number
            self._commit(segment, *result(segment))
            if self._live.held:
                return True
        return False

    def _commit(self, segment: Segment, body: bytes, gap: bool) -> None:
        if encrypted_size(1, len(body)) > RESULT_BYTES_MAX:
            # Made again it would be as large: no other attempt would help.
            if self._lease.pipeline == FUSE:
                raise Failure("report-too-large", "item")
            raise Failure("result-too-large", "item", segment=segment.number)
        with self._stages.measure("write"):
            recipient = Recipient.parse(self._lease.result_recipient)
            report = self._lease.pipeline == FUSE  # read by whoever opens it, as it is
            sealed = b"".join(encrypt([recipient], [body if report else packed(body)]))
            self._live.check()
            self._patiently(lambda: self._hand_in(segment.number, sealed, gap))

    def _patiently(self, call: Callable[[], None]) -> None:
        self._tools.link.patiently(call, self._live.alive)

    def _hand_in(self, number: int, sealed: bytes, gap: bool) -> None:
        """To the control plane, or into the mailbox where it cannot be reached; first the one that is
        likelier to answer. Raises Unreachable when neither does."""
        address = self._live.mailbox.get(number)
        if address is None:
            self._put(number, sealed, gap)
            return
        ways: list[Callable[[], None]] = [
            lambda: self._put(number, sealed, gap),
            lambda: self._leave(address, number, sealed, gap),
        ]
        if self._tools.link.silent_seconds() >= MAILBOX_AFTER_SECONDS:
            ways.reverse()
        try:
            ways[0]()
        except Unreachable:
            self._live.check()
            ways[1]()

    def _put(self, number: int, sealed: bytes, gap: bool) -> None:
        self._tools.link.put_result(self._lease.attempt, self._lease.fence, number, sealed, gap)

    def _leave(self, address: str, number: int, sealed: bytes, gap: bool) -> None:
        lease = self._lease
        mailbox.leave(self._tools.link, address, lease.attempt, lease.fence, number, sealed, gap)
        self._left[number] = sealed, gap
        _log.info("result left in the mailbox", attempt=lease.attempt, segment=number)

    def _fused(self, segment: Segment) -> tuple[bytes, bool]:
        return fuse.fuse(self._live, self._tools.link, segment), False

    # --- one segment of media --------------------------------------------------------------------

    def _analyse(
        self, pipeline: Pipeline, models: Mapping[str, Model], segment: Segment
    ) -> tuple[bytes, bool]:
        """The result of a segment, and whether it names a gap."""
        before = self._stages.seconds()
        with self._decoded(segment) as source:
            try:
                lines = list(pipeline.run(self._lease.profile, source, models, self._live.advance))
            except DecodeError as error:
                lines = [Gap(segment.from_us, segment.to_us, error.code)]
            lines += _missing(lines, source.gaps())
            if not source.read:
                self._unreadable(segment, lines)
        spent = self._stages.seconds(since=before)
        body = encode(
            dataclasses.replace(line, seconds=spent | line.seconds)
            if isinstance(line, Stats)
            else line
            for line in lines
        )
        return body, any(isinstance(line, Gap) for line in lines)

    @contextlib.contextmanager
    def _decoded(self, segment: Segment) -> Iterator[DecodedSegment]:
        with self._stages.measure("fetch"):
            descriptor = sealed_memfd(plaintext(self._live, self._tools.link, segment))
        source = DecodedSegment(self._live, self._tools.zygote, segment, descriptor, self._stages)
        try:
            yield source
        finally:
            source.close()

    def _unreadable(self, segment: Segment, lines: Sequence[Line]) -> None:
        """A segment that cannot be read is a gap and the rest goes on; where it was all there is,
        the medium has failed."""
        reasons = [line.reason for line in lines if isinstance(line, Gap)]
        if reasons and segment.number == 0 and self._lease.segments == (segment,):
            raise Failure("medium-unreadable", "item", reason=reasons[0])


class _TimedModel:
    """A model whose time is counted and whose use ends with the attempt."""

    def __init__(self, model: Model, live: LiveAttempt, stages: Stages) -> None:
        self.name = model.name
        self.version = model.version
        self._model = model
        self._live = live
        self._stages = stages

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        with self._stages.measure("infer"):
            results = self._model(items)
        self._live.check()
        return results


def _missing(lines: Sequence[Line], gaps: Sequence[tuple[int, int, str]]) -> list[Line]:
    """Gaps of the decoder that the pipeline did not report itself."""
    said = {(line.from_us, line.to_us) for line in lines if isinstance(line, Gap)}
    return [Gap(*gap) for gap in gaps if gap[:2] not in said]
