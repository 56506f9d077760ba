"""`leitstand analyze` and `leitstand plan`: the main path as a person drives it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from cyclopts import Parameter

from leitstand.cli import again, batch, plans, reports, values, verdicts
from leitstand.cli.conclude import conclude
from leitstand.cli.follow import Watch
from leitstand.cli.options import DEFAULT, Options, Session, session
from leitstand.cli.takeback import take_back
from leitstand.config import Settings
from leitstand.core.medium import DATA_CLASS, INBOX
from leitstand.core.problem import Exit, Problem
from leitstand.core.profile import DEFAULT as AUTO
from leitstand.core.profile import check as known_profile
from leitstand.output import Output, full, short
from leitstand.upload import Sent, Uploads

Case = Annotated[str, Parameter(name="--case")]
DataClass = Annotated[int | None, Parameter(name="--class")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, checked before anything is read or sent."""

    case: str
    data_class: int | None
    profile: str
    provider: str | None
    max_cost_eur: Decimal | None
    by: datetime | None

    @classmethod
    def parse(
        cls,
        case: str,
        data_class: int | None,
        profile: str,
        provider: str | None,
        max_cost: str | None,
        by: str | None,
    ) -> Asked:
        """Raises Problem: unknown-profile, case-unnamed, bad-class, bad-amount, bad-time, time-past."""
        now = datetime.now().astimezone()
        known_profile(profile)
        if not case.strip():
            raise Problem("case-unnamed", Exit.USAGE)
        return cls(
            case=case,
            data_class=None if data_class is None else values.data_class("--class", data_class),
            profile=profile,
            provider=provider,
            max_cost_eur=None if max_cost is None else values.amount("--max-cost", max_cost),
            by=None if by is None else values.instant("--by", by, now),
        )

    def plan(self, case_id: str, media: list[str], lang: str) -> dict[str, Any]:
        """The body of `POST /plans`."""
        body: dict[str, Any] = {
            "case": case_id,
            "media": media,
            "profile": self.profile,
            "lang": lang,
        }
        if self.provider is not None:
            body["provider"] = self.provider
        if self.max_cost_eur is not None:
            body["max_cost_eur"] = str(self.max_cost_eur)
        if self.by is not None:
            body["by"] = self.by.astimezone(UTC).isoformat()
        return body

    def met_by(self, job: Mapping[str, Any]) -> bool:
        """Whether a job that was planned earlier keeps within this: of the same case, class and
        profile, and bound at least as tightly where a bound is named here."""
        default = DATA_CLASS if self.case == INBOX else job["data_class"]
        wanted = default if self.data_class is None else self.data_class
        if (job["case_name"], job["profile"]) != (self.case, self.profile):
            return False
        cost, due = job["max_cost_eur"], job["due_at"]
        return (
            job["data_class"] == wanted
            and self.provider in (None, job["provider"])
            and (
                self.max_cost_eur is None
                or (cost is not None and Decimal(cost) <= self.max_cost_eur)
            )
            and (self.by is None or (due is not None and datetime.fromisoformat(due) <= self.by))
        )


def analyze(
    *paths: str,
    case: Case = INBOX,
    data_class: DataClass = None,
    profile: str = AUTO,
    provider: str | None = None,
    max_cost: str | None = None,
    by: str | None = None,
    plan: str | None = None,
    out: str | None = None,
    yes: bool = False,
    options: Options = DEFAULT,
) -> int:
    """Analyse images, videos and audio, and write a report.

    Parameters
    ----------
    paths
        Files, or folders to be searched; write -- before names that begin with a dash.
    case
        The case they belong to; inbox erases the media when the job ends.
    data_class
        0 synthetic, 1 no persons, 2 persons, 3 biometric, minors, intimate or privileged.
    profile
        What to look for: people, people+speech, faces, scene, audio, auto.
    provider
        Only where this provider offers it.
    max_cost
        At most so many euros; an instance ends before it could cost more.
    by
        Only where the plan expects to finish by then: 18:00, tomorrow 6:00, in 3h,
        2026-11-24T06:00. What is late in the end goes on all the same.
    plan
        Start this decision of `leitstand plan` instead of making one.
    out
        Folder of the report; else leitstand-out/<job>/.
    yes
        Answer yes to every question.
    """
    wish = Asked.parse(case, data_class, profile, provider, max_cost, by)
    reports.check_out(out)
    if plan is not None:
        wishes = (data_class, provider, max_cost, by)
        if paths or case != INBOX or profile != AUTO or any(w is not None for w in wishes):
            raise Problem("plan-or-paths", Exit.USAGE)
        return _start_plan(full(plan), out, yes, options)
    with ExitStack() as stack:
        take = stack.enter_context(batch.intake(Settings.load().media))
        here = stack.enter_context(session(options))
        return Analysis(here, wish, take, out, yes).run(paths)


def plan(
    *paths: str,
    case: Case = INBOX,
    data_class: DataClass = None,
    profile: str = AUTO,
    provider: str | None = None,
    max_cost: str | None = None,
    by: str | None = None,
    options: Options = DEFAULT,
) -> int:
    """Show where it would run, at what price, and why; start nothing.

    The files are encrypted and stored for it, as for an analysis; nothing is rented or reserved.

    Parameters
    ----------
    paths
        Files, or folders to be searched; write -- before names that begin with a dash.
    case
        The case they belong to.
    data_class
        0 synthetic, 1 no persons, 2 persons, 3 biometric, minors, intimate or privileged.
    profile
        What to look for: people, people+speech, faces, scene, audio, auto.
    provider
        Only where this provider offers it.
    max_cost
        At most so many euros; an instance ends before it could cost more.
    by
        Only where the plan expects to finish by then: 18:00, tomorrow 6:00, in 3h,
        2026-11-24T06:00. What is late in the end goes on all the same.
    """
    wish = Asked.parse(case, data_class, profile, provider, max_cost, by)
    with ExitStack() as stack:
        take = stack.enter_context(batch.intake(Settings.load().media))
        here = stack.enter_context(session(options))
        return Analysis(here, wish, take, None, yes=False).show(paths)


class Analysis:
    """One run of `analyze`, from the files to the report."""

    def __init__(
        self, session: Session, wish: Asked, take: Any, out: str | None, yes: bool
    ) -> None:
        self._session = session
        self._output = session.output
        self._client = session.client
        self._wish = wish
        self._take = take
        self._out = out
        self._yes = yes
        health = self._client.get("/health")
        self._local = bool(health.get("embedded"))
        self._kept_here = self._local and bool(health.get("kept_here"))
        self._decided: str | None = None

    def run(self, paths: tuple[str, ...]) -> int:
        """The exit code. Until the job exists everything that was sent is taken back on any way
        out; from then on the control plane owns it."""
        held = again.held(self._client, self._take, paths, self._wish.met_by)
        if held is not None:
            return self._go_on(*held, paths)
        case = self._case()
        uploads = self._uploads(case)
        try:
            found = batch.send(self._session, paths, uploads)
            if not found.media:
                return self._nothing(found)
            decision = self._decide(case, found.media)
            self._head(found.media, decision, uploads)
            plans.check(decision)
            self._agree(decision)
            job = self._client.post("/jobs", {"decision": decision["id"]})
        except BaseException as error:
            return self._give_up(uploads, error)
        ending = Watch(self._client, self._output, job).run()
        return conclude(self._session, ending, self._out, found)

    def show(self, paths: tuple[str, ...]) -> int:
        """`plan`: the decision, and what it rests on. What was sent stays for it; without a
        decision it is taken back."""
        self._output.one_document()
        case = self._case()
        uploads = self._uploads(case)
        try:
            found = batch.send(self._session, paths, uploads)
            if not found.media:
                return self._nothing(found)
            decision = self._decide(case, found.media)
        except BaseException as error:
            return self._give_up(uploads, error)
        output = self._output
        self._head(found.media, decision, uploads)
        plans.ranking(output, decision)
        plans.why_not(output, decision)
        verdicts.behind(output, decision)
        output.document("decision", {k: v for k, v in decision.items() if k != "schema"})
        plans.check(decision)
        output.note(output.say("cli-nothing-rented"))
        output.commands(
            (output.say("cli-start-it"), f"leitstand analyze --plan {plans.id_of(decision)}")
        )
        return Exit.FAILED if found.failed else Exit.DONE

    def _go_on(
        self, held: Mapping[str, Any], refused: list[batch.Refused], paths: tuple[str, ...]
    ) -> int:
        output = self._output
        output.note(output.say("cli-goes-on", job=short(held["id"])))
        found = batch.without(self._session, paths, refused)
        job = self._client.post(f"/jobs/{held['id']}/resume")
        ending = Watch(self._client, output, job, after=None).run()
        return conclude(self._session, ending, self._out, found)

    def _nothing(self, found: batch.Batch) -> int:
        output = self._output
        output.note(output.say("cli-none-taken"))
        media = {"done": 0, "failed": len(found.failed)}
        output.event("done", job=None, report=None, media=media)
        return found.exit()

    def _case(self) -> Mapping[str, Any]:
        body: dict[str, Any] = {"name": self._wish.case}
        if self._wish.data_class is not None:
            body["data_class"] = self._wish.data_class
        found: Mapping[str, Any] = self._client.post("/cases", body)
        return found

    def _uploads(self, case: Mapping[str, Any]) -> Uploads:
        shown = batch.progress(self._output)
        return Uploads(self._client, str(case["id"]), self._take, shown)

    def _decide(self, case: Mapping[str, Any], media: list[Sent]) -> Mapping[str, Any]:
        from leitstand.cli import wanted

        if self._local:
            pipelines = {name for medium in media for name in medium.pipelines}
            wanted.provide(self._session, self._wish.profile, pipelines, self._yes)
        ids = [medium.id for medium in media]
        lang = self._session.settings.report.lang or self._output.lang
        made: Mapping[str, Any] = self._client.post(
            "/plans", self._wish.plan(str(case["id"]), ids, lang)
        )
        self._decided = str(made["id"])
        self._output.event("plan", decision=made)
        return made

    def _head(self, media: list[Sent], decision: Mapping[str, Any], uploads: Uploads) -> None:
        output = self._output
        what = batch.described(output, media)
        if self._kept_here and plans.stays(decision):
            output.line(output.say("cli-batch-here", case=self._wish.case, what=what))
        else:
            stored = output.texts.size(sum(medium.stored_bytes for medium in media))
            output.line(
                output.say("cli-batch-away", case=self._wish.case, what=what, stored=stored)
            )

    def _agree(self, decision: Mapping[str, Any]) -> None:
        """One question where money flows; none where it does not. Raises Problem("declined")."""
        agree(self._output, decision, self._wish.case, self._local, self._yes, "--max-cost")

    def _give_up(self, uploads: Uploads, error: BaseException) -> int:
        """Take back what was sent; the exit code of Ctrl-C. Raises any other `error` again."""
        interrupted = isinstance(error, KeyboardInterrupt)
        take_back(self._session, uploads, self._decided, interrupted=interrupted)
        if not interrupted:
            raise error
        self._output.event("done", job=None, report=None, interrupted=True)
        return Exit.INTERRUPTED


def agree(
    output: Output,
    decision: Mapping[str, Any],
    case: str,
    here: bool,
    yes: bool,
    bound: str | None = None,
) -> None:
    """Show what was chosen; where money flows, ask. `bound` is the option that could still limit
    the cost. Raises Problem: declined, not-asked."""
    text = plans.sentence(output, decision, here and plans.is_here(decision))
    output.step("✓", output.say("cli-head-step-plan"), text)
    if output.verbose and not output.json:
        plans.ranking(output, decision)
        plans.why_not(output, decision)
    reserves = plans.reservation(output, decision, case)
    if reserves is None:
        return
    plans.ranking(output, decision)
    output.note(reserves)
    output.event("question", ask="rent", decision=decision["id"])
    while not yes:
        from leitstand.cli.wanted import is_yes

        answer = output.ask(output.say("cli-rent-ask"), bound)
        if answer == "?":
            plans.why_not(output, decision)
            verdicts.behind(output, decision)
        elif is_yes(output, answer):
            return
        else:
            raise Problem("declined", Exit.USAGE)


def _start_plan(decision_id: str, out: str | None, yes: bool, options: Options) -> int:
    with session(options) as here:
        decision = here.client.get(f"/decisions/{decision_id}")
        if job := decision.get("job"):
            raise Problem(
                "plan-started",
                Exit.USAGE,
                plan=plans.id_of(decision),
                job=short(job["id"]),
                state=str(job["state"]),
            )
        plans.check(decision)
        local = bool(here.client.get("/health").get("embedded"))
        agree(
            here.output,
            decision,
            str(decision.get("case_name") or short(decision.get("case"))),
            local,
            yes,
        )
        job = here.client.post("/jobs", {"decision": decision["id"]})
        ending = Watch(here.client, here.output, job).run()
        return conclude(here, ending, out)
