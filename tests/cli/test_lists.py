"""Lists and shows: for eyes, for pipes, for programs."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from leitstand.client import Client
from leitstand.core.problem import Exit
from tests.cli.conftest import Command
from tests.cli.plane import CASE, INSTANCE, JOB, Plane, job
from tests.cli.stories import good_story

JOBS = """\
JOB     NAME         CASE    PROGRESS              STATE        FINISH  DUE    COST  EXPECTED
j-71c0  Bahnhof.mp4  K-2031  ▰▰▰▰▰▰▰▱▱▱▱▱▱▱  50 %  running           –    –  1.89 €    3.42 €
j-71e9  Bahnhof.mp4  K-2031  ▰▰▰▰▰▰▰▰▰▰▰▰▰▨        done, 1 gap       –    –  1.89 €    3.42 €
Next  leitstand jobs show j-71c0
"""


@pytest.fixture(autouse=True)
def filled(plane: Plane) -> None:
    running = job([]) | {
        "name": "Bahnhof.mp4", "case_name": "K-2031", "state": "running",
        "segments": {"done": 7, "total": 14, "redone": 1, "gap": 0}, "finish_at": None,
        "cost_eur": "1.89", "expected_eur": "3.42",
    }  # fmt: skip
    ended = running | {
        "id": "job_01KAR3W6V9Q4T8ZC5N0EXB71E9", "state": "done",
        "segments": {"done": 29, "total": 30, "redone": 0, "gap": 1},
    }  # fmt: skip
    plane.lists["jobs"] = [ended, running]
    plane.jobs = {JOB: running, str(ended["id"]): ended}
    plane.lists["instances"] = [
        {
            "id": INSTANCE, "provider": "vast", "gpu": "RTX 4090", "region": "Frankfurt",
            "tier": "B", "state": "ready", "reason": None, "jobs": [JOB],
            "price_eur_per_hour": "0.42", "cost_eur": "1.90",
            "state_proof": {"kind": "beat", "at": "2126-11-24T08:00:00Z"},
        },
        {
            "id": INSTANCE[:-1] + "9", "provider": "vast", "gpu": None, "cores": 4, "tier": "L",
            "state": "terminated", "reason": {"code": "end-by", "params": {}},
            "price_eur_per_hour": "0", "cost_eur": "0",
        },
    ]  # fmt: skip
    plane.lists["cases"] = [{"id": CASE, "name": "K-2031", "data_class": 2}]
    plane.lists["media"] = [
        {"id": f"medium_{number:026d}", "name": f"m{number}\n.mp4", "kind": "video",
         "bytes": 8_100_000, "duration_s": 79.5, "state": "ready", "held_until": None}
        for number in range(450)
    ]  # fmt: skip


def test_jobs_on_a_terminal(run: Command) -> None:
    done = run("jobs", terminal=True)
    assert done.out.replace("\u00a0", " ") == JOBS


def test_jobs_in_a_pipe_are_tab_separated_without_head_colour_or_cuts(run: Command) -> None:
    done = run("jobs")
    assert done.lines()[0].split("\t") == [
        JOB, "Bahnhof.mp4", "K-2031", "7/14", "running", "", "", "1.89", "3.42",
    ]  # fmt: skip
    assert done.err == ""


def test_jobs_as_json_are_one_object_with_the_documents_as_they_are(
    run: Command, plane: Plane
) -> None:
    document = json.loads(run("--json", "jobs").out)
    assert document["schema"] == "leitstand.jobs/1"
    assert document["items"] == plane.lists["jobs"]
    assert document["next"] is None


def test_states_in_json_do_not_change_with_the_language(run: Command) -> None:
    assert json.loads(run("jobs", "--json", "--lang", "de").out)["items"][1]["state"] == "running"
    assert "läuft" in run("jobs", "--lang", "de", terminal=True).out


def test_narrow_terminals_lose_columns_then_cut_names_and_never_numbers(run: Command) -> None:
    for columns in (80, 60, 50, 40):
        done = run("jobs", terminal=True, columns=columns)
        rows = [line for line in done.lines() if line.startswith("j-")]
        assert all(len(row) <= columns for row in rows) or columns == 40
        assert all("1.89" in row for row in rows)
    assert "Ba…f.mp4" in done.out


def test_lists_follow_all_pages(run: Command) -> None:
    rows = run("media").lines()
    assert len(rows) == 450
    assert rows[0].split("\t")[1] == "m0␊.mp4"
    assert len(run("media", "--limit", "3").lines()) == 3


@pytest.mark.parametrize("given", ["0", "-1"])
@pytest.mark.parametrize("command", ["jobs", "media", "instances", "audit show"])
def test_a_limit_below_one_is_said(run: Command, plane: Plane, command: str, given: str) -> None:
    done = run(*command.split(), "--limit", given)
    assert done.exit == 2
    assert f'error: --limit "{given}" is too few\n  do   --limit 1 or more' in done.err
    assert plane.asked == []


def test_a_name_that_is_erased_with_its_medium_is_said_to_be(run: Command, plane: Plane) -> None:
    for listed in (*plane.lists["jobs"], *plane.lists["media"]):
        listed["name"] = None
    assert "(erased)" in run("jobs", terminal=True).out
    assert run("jobs", "show", "j-71c0").lines()[0].startswith("(erased) (j-71c0): running.")
    assert "(gelöscht)" in run("media", "--limit", "3", "--lang", "de", terminal=True).out
    assert json.loads(run("jobs", "--json").out)["items"][0]["name"] is None


@pytest.mark.parametrize(
    ("lang", "state", "why"),
    [
        ("en", "failed", "clip.mp4 has nothing to analyse: it holds no sound"),
        ("de", "gescheitert", "clip.mp4 enthält nichts zum Auswerten: kein Ton"),
    ],
)
@pytest.mark.parametrize("command", ["media", "jobs show j-71c0"])
def test_why_a_medium_failed_is_said_in_words(
    run: Command, plane: Plane, command: str, lang: str, state: str, why: str
) -> None:
    failed = {
        "id": f"medium_{1:026d}", "name": "clip.mp4", "kind": "audio", "state": "failed",
        "reason": {"code": "no-sound", "params": {}},
    }  # fmt: skip
    plane.lists["media"] = [failed]
    plane.jobs[JOB]["media"] = [failed]
    done = run(*command.split(), "--lang", lang, terminal=True)
    assert state in done.out and why in done.out
    assert "no-sound" not in done.out


def test_instances_that_are_gone_show_only_with_all(run: Command) -> None:
    assert len(run("instances").lines()) == 1
    done = run("instances", "--all", terminal=True)
    assert "its agreed end has come" in done.out
    assert "4 cores, no GPU" in done.out


def test_the_newest_that_live_are_shown_however_many_are_gone_since(
    run: Command, plane: Plane
) -> None:
    plane.lists["instances"].reverse()
    assert [line.split("\t")[0] for line in run("instances", "--limit", "1").lines()] == [INSTANCE]


def test_an_instance_says_which_job_it_lives_for(run: Command) -> None:
    assert f"works for j-{JOB[-4:].lower()}" in run("instances", terminal=True).out


@pytest.mark.parametrize(
    ("arguments", "schema"),
    [
        (["jobs"], "jobs"),
        (["jobs", "show", "j-71c0"], "job"),
        (["jobs", "hold", "j-71c0"], "job"),
        (["jobs", "cancel", "j-71c0"], "job"),
        (["media"], "media"),
        (["cases"], "cases"),
        (["instances"], "instances"),
        (["instances", "show", "i-8c20"], "instance"),
        (["instances", "drain", "i-8c20"], "instance"),
        (["models", "list"], "models"),
        (["offers"], "offers"),
        (["explain", "d-5540"], "decision"),
        (["doctor"], "doctor"),
    ],
)
def test_json_everywhere(run: Command, arguments: list[str], schema: str) -> None:
    done = run(*arguments, "--json")
    (line,) = done.lines()
    assert json.loads(line)["schema"] == f"leitstand.{schema}/1"
    assert done.err == ""


@pytest.mark.parametrize("given", ["j-71c0", "71C0", "71c0", JOB])
def test_an_id_may_be_whole_or_its_ending(run: Command, given: str) -> None:
    done = run("jobs", "show", given, terminal=True)
    assert done.exit == 0
    assert done.lines()[0].startswith("Bahnhof.mp4 (j-71c0): running. 7 of 14 segments")


@pytest.mark.parametrize("given", ["", "a/b", "../../x", "a\nb", "j-71c0?x=1", "%2e", "j 1"])
@pytest.mark.parametrize(
    "command",
    [
        ("jobs", "show"), ("jobs", "hold"), ("jobs", "resume"), ("jobs", "cancel"),
        ("jobs", "report"), ("media", "show"), ("media", "erase"), ("media", "download"),
        ("media", "export-identity"), ("instances", "show"), ("instances", "drain"),
        ("explain",), ("events", "--subject"), ("analyze", "--plan"),
    ],
)  # fmt: skip
def test_what_can_be_no_id_is_said_and_reaches_no_route(
    run: Command, plane: Plane, command: tuple[str, ...], given: str
) -> None:
    done = run(*command, given)
    assert done.exit == 2
    assert "is no id\n  why  " in done.err and "\n  do   " in done.err
    assert set(plane.asked) <= {"GET /health"}


def test_every_part_of_an_address_is_encoded(plane: Plane) -> None:
    name = "a b?c#d%2F\n\x7fé"
    plane.jobs = {name: {"id": name}}
    with Client.over_socket(plane.socket) as client:
        assert client.get(f"/jobs/{name}") == {"id": name}


def test_an_unknown_id_says_so(run: Command, plane: Plane) -> None:
    plane.problems["GET /jobs/NOPE"] = {
        "type": "urn:leitstand:problem:unknown-job", "status": 404, "exit": 2,
        "params": {"job": "NOPE"},
    }  # fmt: skip
    done = run("jobs", "show", "nope")
    assert done.exit == 2
    assert "error: there is no job NOPE" in done.err


def test_the_report_of_a_job_that_is_done_can_be_fetched_later(run: Command) -> None:
    assert run("jobs", "report", "j-71e9", "--out", "r").exit == 0
    assert Path("r/report.html").exists()
    refused = run("jobs", "report", "j-71c0")
    assert refused.exit == 1
    assert "error: j-71c0 has no report" in refused.err


@pytest.mark.parametrize("name", ["report.json", "report.html"])
def test_a_report_replaces_a_report_and_no_other_file(
    run: Command, plane: Plane, name: str
) -> None:
    assert run("jobs", "report", "j-71e9", "--out", "r").exit == 0
    assert run("jobs", "report", "j-71e9", "--out", "r").exit == 0
    own = Path("r") / name
    own.write_text("my own")
    plane.asked.clear()
    for command in (["jobs", "report", "j-71e9"], ["jobs", "resume", "j-71e9"], ["analyze", "x"]):
        refused = run(*command, "--out", "r")
        assert refused.exit == Exit.USAGE
        assert f"error: r/{name} is not replaced\n" in refused.err
        assert "name another folder with --out" in refused.err
    assert own.read_text() == "my own"
    assert plane.asked == []


def test_holding_a_held_job_says_that_it_is_held_already(run: Command, plane: Plane) -> None:
    first = run("jobs", "hold", "j-71c0")
    assert "j-71c0 finishes its segments, then releases its instance." in first.out
    plane.jobs[JOB]["state"] = "held"
    again = run("jobs", "hold", "j-71c0")
    assert again.exit == 0
    assert again.lines()[0] == "j-71c0 is held already."
    assert "leitstand jobs resume j-71c0" in again.out


def test_offers_show_where_one_falls(run: Command, plane: Plane) -> None:
    plane.lists["offers"] = [
        {"provider": "vast", "gpu": "RTX A5000", "vram_gib": 24.0, "region": "Amsterdam",
         "tier": "B", "price_eur_per_hour": "0.24", "video_eur_per_hour": "0.3312",
         "ready_seconds": 370.0,
         "rejected": {"rule": "tier", "has": "B", "needs": "L", "short_by": None}},
    ]  # fmt: skip
    done = run("offers", "--vram", "24", "--tier", "B", terminal=True)
    assert "RTX A5000    24  vast Amsterdam  B     0.24       0.33   6:10  tier: L" in done.out
    assert plane.bodies["offers"] == {"vram_gib": 24.0, "tier": "B"}
    fallen = {"rule": "price", "has": "0.240000", "needs": "0.200000", "short_by": "0.040000"}
    plane.lists["offers"][0]["rejected"] = fallen
    assert "price: 0.04 €" in run("offers", terminal=True).out
    assert "price: 0.040000" in run("offers").out
    plane.lists["offers"] = []
    assert run("offers").exit == Exit.NO_CAPACITY


def verdict(**over: Any) -> dict[str, Any]:
    return {
        "verified": True, "entries": 48_219, "heads": 2, "root": "a41f09c2" * 8, "waiting": 0,
        "subjects": {"medium": 142, "job": 9}, "faults": [],
    } | over  # fmt: skip


def test_audit_verify_names_what_was_checked(run: Command, plane: Plane) -> None:
    plane.lists["ledger/verify"] = [verdict()]
    done = run("audit", "verify")
    assert done.exit == 0
    assert done.lines()[:3] == [
        "✓ 48,219 entries, root a41f09c2…",
        "✓ 2 signed heads, every one extends the last",
        "✓ State agrees: 9 jobs, 142 media",
    ]


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        ("en", "Entry 31207 was changed after it was written."),
        ("de", "Eintrag 31207 wurde nach dem Schreiben geändert."),
    ],
)
def test_audit_verify_fails_on_a_changed_entry_and_names_it(
    run: Command, plane: Plane, lang: str, told: str
) -> None:
    fault = {"code": "entry-changed", "place": "31207"}
    plane.lists["ledger/verify"] = [verdict(verified=False, faults=[fault])]
    done = run("audit", "verify", "--lang", lang)
    assert done.exit == 1
    assert f"× {told}\n" in done.out


def test_audit_show_says_which_entry_cannot_be_read(run: Command, plane: Plane) -> None:
    plane.lists["ledger/entries"] = [
        {"items": [{"position": 7, "leaf_hash": "00"}], "next": None},
    ]
    assert "cannot be read" in run("audit", "show", terminal=True).out


def test_audit_show_is_in_the_order_of_entries(run: Command, plane: Plane) -> None:
    entry = {"v": 1, "at": 1_790_000_000_000_000, "type": "job.start", "actor": "operator:0",
             "subject": JOB, "before": "planned", "after": "waiting"}  # fmt: skip
    plane.lists["ledger/entries"] = [
        {"items": [entry | {"position": 8}, entry | {"position": 7}], "next": None}
    ]
    rows = [line.split("\t") for line in run("audit", "show").lines()]
    assert [row[0] for row in rows] == ["7", "8"]
    assert rows[0][1].startswith("2026-09-21T") and rows[0][5] == "planned → waiting"


def test_events_so_far_end_and_watched_ones_follow(run: Command, plane: Plane) -> None:
    plane.jobs = {}
    plane.events = [("job", {"state": "running", "subject": JOB})]
    done = run("events")
    assert done.lines() == [f'1\tjob\t{{"state": "running", "subject": "{JOB}"}}']


@pytest.mark.usefixtures("pretend")
def test_encrypted_files_and_their_identity_can_be_taken_away(run: Command, plane: Plane) -> None:
    plane.jobs = {}
    Path("a.jpg").write_bytes(b"IMG of something")
    plane.story = good_story()
    assert run("analyze", "a.jpg").exit == 0
    assert run("media", "download", "m-0001", "--out", "files").exit == 0
    (file,) = Path("files").iterdir()
    identity = run("media", "export-identity", "m-0001")
    assert identity.out.startswith("AGE-SECRET-KEY-1") and identity.out.count("\n") == 1
    assert "Whoever has this identity can read the medium." in identity.err
    pyrage = importlib.import_module("pyrage")
    key = pyrage.x25519.Identity.from_str(identity.out.strip())
    assert pyrage.decrypt(file.read_bytes(), [key]) == b"IMG of something"


@pytest.mark.parametrize(
    ("until", "stays"),
    [
        ("2126-05-23T08:00:00Z", "stays until 23 May"),
        (None, "stays for as long as its case is held"),
    ],
)
def test_erasing_names_the_reports_that_stay_and_what_they_hold(
    run: Command, plane: Plane, until: str | None, stays: str
) -> None:
    report = {"job": JOB, "until": until, "holds": ["name", "exif"]}
    plane.media["medium_00000000000000000000000001"] = {
        "id": "medium_00000000000000000000000001", "name": "a.jpg", "state": "ready",
        "reports": [report],
    }  # fmt: skip
    told = run("media", "erase", "m-0001", "--yes", "--json")
    assert json.loads(told.out)["reports"] == [report]
    shown = run("media", "erase", "m-0001", "--yes").out
    assert f"The report of j-71c0 {stays}" in shown
    assert "name of the file" in shown and "EXIF" in shown and "words spoken" in shown


def test_erasing_asks_and_a_no_erases_nothing(run: Command, plane: Plane) -> None:
    plane.media["medium_00000000000000000000000001"] = {
        "id": "medium_00000000000000000000000001", "name": "a.jpg", "state": "ready",
    }  # fmt: skip
    refused = run("media", "erase", "m-0001", terminal=True, typed="n\n")
    assert refused.exit == 2
    assert "Erase a.jpg (m-0001) for good? [y/N]" in refused.err
    unasked = run("media", "erase", "m-0001")
    assert unasked.exit == 2
    assert unasked.err.endswith("  do   add --yes\n")
    assert not any(asked.startswith("DELETE") for asked in plane.asked)
    erased = run("media", "erase", "m-0001", "--yes")
    assert erased.exit == 0
    assert "A copy of the database made earlier still does" in erased.out
    told = run("media", "erase", "m-0001", "--yes", "--json")
    assert json.loads(told.out)["older_copies_open"] is True
    assert plane.media["medium_00000000000000000000000001"]["state"] == "erased"


def quoted(instance: str) -> dict[str, Any]:
    return {
        "instance": instance, "provider": "vast", "ends_by": "2026-11-25T08:00:00Z",
        "amount_eur": "25.000000", "price_eur_per_hour": "0.410000", "covers_seconds": 219512.2,
        "term_seconds": 86400.0, "discount_max": 0.4, "fee": 0.05, "unused_eur": "15.160000",
        "lost_then_eur": "0.758000", "lost_at_most_eur": "1.250000",
    }  # fmt: skip


def test_paying_ahead_says_what_is_lost_before_it_asks(run: Command, plane: Plane) -> None:
    plane.prepays = quoted("instance_01KAR3W6V9Q4T8ZC5N0EXB60AA")
    done = run("instances", "prepay", "i-60aa", "--amount", "25", typed="n\n", terminal=True)
    shown = " ".join(done.err.replace("\u00a0", " ").split())
    assert done.exit == 2
    assert "of at most 40 % for months ahead" in shown
    assert "at most 1.25 € now" in shown
    assert "15.16 € would be unused and 0.76 € of that kept" in shown
    assert "Pay 25.00 € ahead? [y/N]" in shown
    assert plane.prepaid == []
    assert run("instances", "prepay", "i-60aa", "--amount", "25").exit == 2
    done = run("instances", "prepay", "i-60aa", "--amount", "25", "--yes")
    assert done.exit == 0
    assert "1.0 months, 20 % off" in done.out.replace("\u00a0", " ")
    assert plane.prepaid == ["25.0"]
