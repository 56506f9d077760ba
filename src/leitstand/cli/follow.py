"""Follow a job to its end: the live strip, what a person would retell, and Ctrl-C.

The view is rebuilt from the job's document whenever the stream is (re)opened, so nothing depends on
having seen every event. Ctrl-C once holds the job, twice cancels it now, a third time leaves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leitstand.cli.plans import told
from leitstand.cli.press import STOP_SECONDS_MAX, cancel_now, hold, passes
from leitstand.cli.release import RELEASE_SECONDS_MAX, released
from leitstand.cli.strip import Counted, percent, strip
from leitstand.client import PAUSE_SECONDS, Client, Event
from leitstand.core.problem import Param, Problem
from leitstand.output import Output, cut, pad, short

ENDED = frozenset({"done", "failed", "cancelled", "held"})
LINE_SECONDS = 30.0
"""Without a terminal: one line per committed segment, or after so long."""
UNNEEDED = frozenset({"idle", "unwanted"})
"""Why an instance ends that has done what it was there for."""
NAME_CELLS = 11


@dataclass(slots=True)
class Ending:
    """How it ended: the job's document, and how often Ctrl-C was pressed."""

    job: Mapping[str, Any]
    presses: int
    seconds: float
    names: Mapping[str, str]
    """Names by medium; the job's document forgets them when a medium is erased."""


class Watch:
    """One job on its way. `after`: the event row to begin after; None: the present."""

    def __init__(
        self,
        client: Client,
        output: Output,
        job: Mapping[str, Any],
        after: str | None = "0",
    ) -> None:
        self._client = client
        self._output = output
        self._id = str(job["id"])
        self._job: Mapping[str, Any] = job
        self._all = Counted()
        self._media: dict[str, Counted] = {}
        self._names: dict[str, str] = {}
        self._current: str | None = None
        self._instances: dict[str, str] = {}
        self._told: set[str] = set()
        self._leased: dict[str, str] = {}
        self._committed: set[tuple[Any, ...]] = set()
        self._note_names(job)
        self._began = time.monotonic()
        self._line_at = self._began
        self._presses = 0
        self._pending: str | None = None
        self._unheld = False
        self._last = after

    def run(self) -> Ending:
        """Follow until the job is done, failed, cancelled or held, and its instances are gone."""
        while True:
            try:
                self._act()
                self._see_through()
                break
            except KeyboardInterrupt:
                self._presses += 1
                if self._presses > 2:
                    raise
                self._pending = "hold" if self._presses == 1 else "cancel"
        self._output.done_live()
        seconds = time.monotonic() - self._began
        return Ending(self._job, self._presses, seconds, self._names)

    def _see_through(self) -> None:
        """To the end, also where the database is away for a while: the job goes on unseen."""
        while True:
            try:
                self._follow()
                self._release()
                return
            except Problem as problem:
                if self._presses > 1 or not passes(problem):
                    raise
                self._waits(problem.code, problem.params)
            time.sleep(PAUSE_SECONDS)

    def _release(self) -> None:
        """Until nothing of the job is left, within bounds. Ctrl-C does not wait for a job that is
        done: nothing is left to be held."""
        bound = STOP_SECONDS_MAX if self._presses > 1 else RELEASE_SECONDS_MAX
        try:
            self._job = released(self._client, self._job, bound, self._releasing)
        except KeyboardInterrupt:
            if self._job.get("state") != "done":
                raise
            self._refresh()

    def _releasing(self, left: Sequence[str]) -> None:
        instances = ", ".join(short(id) for id in left)
        self._output.live(self._output.say("cli-releasing", instances=instances))

    # --- Ctrl-C ----------------------------------------------------------------------------------

    def _act(self) -> None:
        """Do what the last Ctrl-C asked for; pressed again in between, the next round does more."""
        wish, self._pending = self._pending, None
        if wish is None:
            return
        self._output.done_live()
        if wish == "hold":
            self._say_hold()
            if (why := hold(self._client, self._id)) is not None:
                self._unheld = True
                detail = self._output.texts.problem(why.code, why.params).what
                self._output.caution(Problem("hold-not-kept", job=short(self._id), detail=detail))
        else:
            self._output.note(self._output.say("cli-stopping"))
            self._output.event("stopping", job=self._id)
            self._unheld = False
            cancel_now(self._client, self._id)

    def _say_hold(self) -> None:
        self._output.event("holding", job=self._id)
        now = self._media.get(self._current or "")
        if now is None or now.total <= now.done:
            self._output.note(self._output.say("cli-holding"))
            return
        name = self._name(self._current or "")
        self._output.note(self._output.say("cli-holding-at", segment=now.done + 1, name=name))

    # --- the stream ------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Until the stream says that the job ended. Its document alone is believed only where
        nothing is left to be replayed, so that what happened before is told first."""
        present = False
        for event in self._client.follow(self._id, self._last):
            self._last = event.id or self._last
            self._take(event)
            present = event.kind != "connected" and (present or event.kind == "present")
            if self._job.get("state") in ENDED and (present or event.kind == "job"):
                self._refresh()
                return

    def _take(self, event: Event) -> None:
        data = event.data
        match event.kind:
            case "store":
                self._store(data)
            case "connected" | "ping":
                self._hold_again()
                self._refresh()
                self._line(force=False)
            case "job":
                self._job = {**self._job, "state": data.get("state"), "reason": data.get("reason")}
                self._output.event("job", state=data.get("state"), reason=data.get("reason"))
            case "instance":
                self._instance(data)
            case "segment":
                self._segment(data)
            case "task":
                self._task(data)
            case "progress":
                self._progress(data)
            case "alarm":
                self._output.warn(told(self._output, {"code": data.get("code"), "params": data}))

    def _store(self, data: Mapping[str, Any]) -> None:
        """Whether the control plane can write: without that the job waits."""
        if (code := data.get("code")) is None:
            self._hold_again()
        else:
            self._waits(str(code), data.get("params") or {})

    def _waits(self, code: str, params: Mapping[str, Param]) -> None:
        if "store" not in self._told:
            self._told.add("store")
            detail = self._output.texts.problem(code, params).what
            self._output.caution(Problem("plane-waits", detail=detail))

    def _hold_again(self) -> None:
        """What Ctrl-C asked for and could not be written down."""
        if self._unheld:
            self._unheld = hold(self._client, self._id) is not None

    def _note_names(self, job: Mapping[str, Any]) -> None:
        for medium in job.get("media") or ():
            if medium.get("name"):
                self._names[str(medium["id"])] = str(medium["name"])

    def _name(self, medium: str) -> str:
        return self._names.get(medium) or self._output.say("cli-name-erased")

    def _refresh(self) -> None:
        self._job = self._client.get(f"/jobs/{self._id}")
        self._note_names(self._job)
        segments = self._job.get("segments") or {}
        self._all.done = int(segments.get("done") or 0)
        self._all.total = int(segments.get("total") or 0)
        self._all.gap = int(segments.get("gap") or 0)
        self._all.cost_eur = str(self._job.get("cost_eur") or "0.00")
        for medium in self._job.get("media") or ():
            counted = medium.get("segments") or {}
            seen = self._media.setdefault(str(medium["id"]), Counted())
            seen.done = max(seen.done, int(counted.get("done") or 0))
            seen.total = int(counted.get("total") or 0)

    def _segment(self, data: Mapping[str, Any]) -> None:
        medium = data.get("medium")
        key = (medium, data.get("pipeline"), data.get("stream"), data.get("number"))
        if medium is None or key in self._committed:
            return
        self._committed.add(key)
        self._current = str(medium)
        seen = self._media.setdefault(self._current, Counted())
        seen.done = max(seen.done, sum(1 for other in self._committed if other[0] == medium))
        self._all.done = max(self._all.done, len(self._committed))
        self._tell_models()
        self._output.event("segment", **data)
        self._line(force=True)
        self._live()

    def _task(self, data: Mapping[str, Any]) -> None:
        self._output.event("task", **data)
        if data.get("state") == "leased" and data.get("medium"):
            self._leased[str(data.get("id"))] = str(data.get("pipeline"))
            self._current = str(data["medium"])
        else:
            self._leased.pop(str(data.get("id")), None)
        reason = data.get("reason") or {}
        if reason.get("code"):
            medium = str(data.get("medium"))
            params = {**(reason.get("params") or {}), "name": self._name(medium)}
            told = self._output.texts.problem(str(reason["code"]), params)
            self._output.detail(f"{data.get('pipeline')}, {data.get('state')}: {told.what}")

    def _progress(self, data: Mapping[str, Any]) -> None:
        segments = data.get("segments") or {}
        self._all.done = max(self._all.done, int(segments.get("done") or 0))
        self._all.total = int(segments.get("total") or self._all.total)
        self._all.gap = int(segments.get("gap") or 0)
        self._all.units_per_s = data.get("units_per_s")
        self._all.cost_eur = str(data.get("cost_eur") or self._all.cost_eur)
        for medium, counted in (data.get("media") or {}).items():
            seen = self._media.setdefault(str(medium), Counted())
            seen.done = max(seen.done, int(counted.get("done") or 0))
            seen.total = int(counted.get("total") or seen.total)
            if seen.done < seen.total and self._current is None:
                self._current = str(medium)
        self._output.event("progress", job=self._id, **data)
        self._line(force=False)
        self._live()

    # --- what is printed -------------------------------------------------------------------------

    def _instance(self, data: Mapping[str, Any]) -> None:
        id, state = str(data.get("id")), str(data.get("state"))
        before = self._instances.get(id)
        if state == before:
            return
        self._instances[id] = state
        self._output.event("instance", **data)
        output, name = self._output, short(id)
        reason = data.get("reason") or {}
        if state == "ready" and before != "draining":
            seconds = data.get("seconds")
            took = "none" if seconds is None else output.texts.duration(float(seconds))
            admitted = output.say("cli-admitted", instance=name, took=took)
            output.step("✓", output.say("cli-head-step-instance"), admitted)
        elif state in ("terminating", "terminated") and reason.get("code") and id not in self._told:
            self._told.add(id)
            if reason["code"] in UNNEEDED:
                ends = output.say("cli-instance-ends", instance=name, why=told(output, reason))
                output.step("✓", output.say("cli-head-step-instance"), ends)
            elif self._presses == 0 and self._job.get("state") not in ENDED:
                output.warn(
                    output.say("cli-instance-ended", instance=name, why=told(output, reason))
                )

    def _tell_models(self) -> None:
        """Once the first segment is committed, the worker has compared every digest."""
        models = self._job.get("models") or ()
        if models and "models" not in self._told:
            self._told.add("models")
            names = ", ".join(f"{model['name']} {model['version']}" for model in models)
            self._output.step(
                "✓",
                self._output.say("cli-head-step-models"),
                self._output.say("cli-models-match", names=names),
            )

    def _shown(self) -> tuple[str, Counted]:
        """One medium by its name; of many, the whole."""
        if len(self._media) <= 3 and self._current in self._media:
            seen = self._media[self._current]
            if seen.total:
                return self._name(self._current or ""), seen
        files = self._output.say("cli-files", count=len(self._media) or 1)
        return files, self._all

    def _rate(self) -> str:
        """Frames a second; audio counts samples, and those say nothing to a person."""
        rate = None if "audio" in self._leased.values() else self._all.units_per_s
        return "none" if not rate else self._output.texts.number(rate, 0 if rate >= 10 else 1)

    def _live(self) -> None:
        name, seen = self._shown()
        if not seen.total:
            return
        output = self._output
        elapsed = time.monotonic() - self._began
        left = "none"
        settled = self._all.done + self._all.gap
        if 0 < settled < self._all.total:
            seconds = elapsed * (self._all.total - settled) / settled
            left = output.texts.clock(seconds, 0)
        text = output.say(
            "cli-live",
            strip=strip(seen.done, seen.total, seen.gap),
            percent=percent(seen.done, seen.total, seen.gap),
            rate=self._rate(),
            cost=output.texts.euros(self._all.cost_eur),
            left=left,
        )
        output.live(f"  {pad(cut(name, 24), NAME_CELLS)} {text}")

    def _line(self, *, force: bool) -> None:
        """Progress where no line can be replaced."""
        output = self._output
        now = time.monotonic()
        if output.bars or output.json or not (force or now - self._line_at >= LINE_SECONDS):
            return
        self._line_at = now
        name, seen = self._shown()
        output.note(
            output.say(
                "cli-progress-line",
                name=name,
                done=seen.done,
                total=seen.total,
                rate=self._rate(),
                cost=output.texts.euros(self._all.cost_eur),
            )
        )
