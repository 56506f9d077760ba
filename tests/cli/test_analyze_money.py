"""Plans, questions and refusals: nothing starts and nothing is spent without a yes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.plane import JOB, Plane
from tests.cli.stories import ended, good_story, paid

pytestmark = pytest.mark.usefixtures("pretend")


def masked(text: str) -> str:
    """Times replaced, spaces that hold numbers and units together made ordinary."""
    return re.sub(r"\d+(\.\d+)? (s|min)\b", "TIME", text.replace("\u00a0", " "))


def test_money_is_asked_for_once_and_why_is_answered(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.decision, plane.story = paid(), good_story()
    done = run("analyze", "a.jpg", terminal=True, typed="?\ny\n")
    assert done.exit == 0
    assert done.err.count("Rent it and start? [y/N, ? for why]") == 2
    assert "Reserves 1.71 €; 31.09 € of the budget is free before that." in masked(done.err)
    assert "WHY NOT" in done.out
    assert "a better tier, or your own machine" in done.out


def test_a_no_starts_nothing_and_takes_everything_back(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.decision = paid()
    done = run("analyze", "a.jpg", terminal=True, typed="n\n")
    assert done.exit == 2
    assert "POST /jobs" not in plane.asked
    assert [medium["state"] for medium in plane.media.values()] == ["erased"]


def test_nobody_there_to_answer_is_usage(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.decision = paid()
    done = run("analyze", "a.jpg")
    assert done.exit == 2
    assert "error: a question needs an answer" in done.err
    assert "  do   add --yes, and --max-cost to bound what it may cost\n" in done.err
    planned = run("analyze", "--plan", "d-5540")
    assert planned.exit == 2
    assert planned.err.endswith("  do   add --yes\n")


def test_yes_answers_and_max_cost_is_passed_on(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.decision, plane.story = paid(), good_story()
    done = run("analyze", "a.jpg", "--yes", "--max-cost", "4,50", "--by", "2126-11-24T14:00+01:00")
    assert done.exit == 0
    assert plane.bodies["plan"]["max_cost_eur"] == "4.50"
    assert plane.bodies["plan"]["by"] == "2126-11-24T13:00:00+00:00"


def test_no_offer_is_no_capacity(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.decision = paid() | {"chosen": None, "ranked": [], "offers_seen": 121}
    done = run("analyze", "a.jpg")
    assert done.exit == 4
    assert "  why  of 121 offers fell: 121 tier" in done.err


def test_what_costs_more_than_it_may_is_refused_with_what_would_help(
    run: Command, plane: Plane
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    fallen = {**paid()["rejected"][0], "rule": "budget", "has": "0.500000", "needs": "1.860000"}
    plane.decision = paid() | {"chosen": None, "ranked": [], "rejected": [fallen]}
    done = run("analyze", "a.jpg", "--max-cost", "0.5")
    assert done.exit == 3
    assert "no money flows" not in done.out
    assert "the cheapest needs 1.86 € with a margin" in masked(done.err)
    assert "; 0.50 € is free" in masked(done.err)
    german = run("analyze", "a.jpg", "--max-cost", "0.5", "--lang", "de")
    assert "braucht 1,86 €, mit Reserve" in masked(german.err)
    assert "frei sind 0,50 €" in masked(german.err)
    assert "  do   raise --max-cost, or the budget in leitstand.toml" in done.err
    planned = run("plan", "a.jpg", "--max-cost", "0.5", terminal=True)
    assert "a higher --max-cost or budget" in planned.out
    assert re.search(r"0\.50 € +1\.86 €", masked(planned.out))


def test_a_refusal_by_the_control_plane_keeps_its_exit_code(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.problems["POST /plans"] = {
        "type": "urn:leitstand:problem:gated", "status": 403, "exit": 3,
        "params": {"capability": "face identification"},
    }  # fmt: skip
    done = run("analyze", "a.jpg")
    assert done.exit == 3
    assert "error: face identification is not approved" in done.err
    assert [medium["state"] for medium in plane.media.values()] == ["erased"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--profile", "peple"], "(did you mean people?)"),
        (["--max-cost", "4,5x"], 'error: --max-cost "4,5x" is not an amount'),
        (["--by", "soon"], 'error: --by "soon" is not a time'),
        (
            ["--by", "2020-01-01T06:00"],
            '--by "2020-01-01T06:00" is in the past\n  do   --by 18:00, or:',
        ),
        (["--by", "in 0h"], 'error: --by "in 0h" is in the past'),
        (["--class", "5"], 'error: --class "5" is no data class'),
        (["--class", "x"], 'error: --class "x" is no whole number'),
        (["--lang", "fr"], 'error: --lang "fr" is not one of its values'),
        (["--case", ""], "error: --case has no name"),
        (["--case", " "], "error: --case has no name"),
        (["--frobnicate"], 'error: no option "--frobnicate"'),
        (["--plan", "d-5540"], "error: --plan starts a decision that has its files"),
    ],
)
def test_what_was_typed_wrong_is_said_before_anything_starts(
    run: Command, plane: Plane, arguments: list[str], told: str
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    done = run("analyze", "a.jpg", *arguments)
    assert done.exit == 2
    assert told in done.err
    assert plane.asked == []


def test_a_plan_starts_nothing_and_can_be_started(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.decision = paid()
    done = run("plan", "a.jpg", terminal=True)
    assert done.exit == 0
    assert "RTX 4090" in done.out and "chosen" in done.out and "WHY NOT" in done.out
    assert "Start it  leitstand analyze --plan d-5540" in done.out
    assert "POST /jobs" not in plane.asked
    plane.story = good_story()
    assert run("analyze", "--plan", "d-5540", "--yes").exit == 0
    assert plane.bodies["job"]["decision"].endswith("5540")


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("running", "leitstand jobs show j-71c0"),
        ("held", "leitstand jobs resume j-71c0"),
        ("done", "leitstand jobs report j-71c0 writes its report"),
        ("cancelled", "make a new one: leitstand plan PATH..."),
    ],
)
def test_a_plan_that_was_started_is_not_told_again_as_if_new(
    run: Command, plane: Plane, state: str, remedy: str
) -> None:
    plane.decision["job"] = {"id": JOB, "state": state}
    done = run("analyze", "--plan", "d-5540")
    assert done.exit == 2
    assert done.err.splitlines() == [
        "error: d-5540 was started already, as j-71c0",
        f"  why  a plan starts one job; j-71c0 is {state}",
        f"  do   {remedy}",
    ]
    assert "POST /jobs" not in plane.asked


def test_plan_as_json_is_one_decision(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    done = run("plan", "a.jpg", "--json")
    (line,) = done.lines()
    found = json.loads(line)
    assert [json.loads(told)["event"] for told in done.err.splitlines()] == ["file", "plan"]
    assert found["schema"] == "leitstand.decision/1"
    assert found["chosen"]["offer"]["cores"] == 4


@pytest.mark.parametrize(
    ("lang", "begun", "why"),
    [
        ("en", "so far it cost 0.42 €", "0.75 € would be reserved; 0.05 € of 2.00 € is free"),
        ("de", "bisher kostete er 0,42 €", "0,75 € müssten vorgemerkt werden; 0,05 € von 2,00 €"),
    ],
)
@pytest.mark.parametrize("state", ["failed", "held"])
def test_a_job_that_its_budget_stopped_had_begun_cost_something_and_was_refused(
    run: Command, plane: Plane, state: str, lang: str, begun: str, why: str
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    sums = {"needed": "0.75", "left": "0.05", "limit": "2", "spent": "1.95", "reserved": "0"}
    params = {f"{name}_eur": amount for name, amount in {**sums, "cost": "0.42"}.items()}
    reason = {"code": "over-budget", "params": {"budget": "month", **params}}
    plane.story = [ended(state, reason=reason), ("job", {"state": state, "reason": reason})]
    done = run("analyze", "a.jpg", "--lang", lang)
    assert done.exit == 3
    assert begun in masked(done.err)
    assert why in masked(done.err)


def test_what_is_reserved_for_traffic_is_said(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.decision = paid()
    plane.decision["chosen"]["offer"]["traffic_eur"] = "0.120000"
    done = run("analyze", "a.jpg", terminal=True, typed="n\n")
    said = "0.12 € is for traffic, which this host charges by the gigabyte."
    assert said in masked(done.err)
    assert said in masked(run("plan", "a.jpg").err)
