"""What is made of the log of a fresh machine, of its label, of its record, and of its bill."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from leitstand.core import instance, label, limits
from leitstand.core.boot import WORDS_CHARACTERS_MAX, fatal, words
from leitstand.core.cost import correction
from leitstand.core.history import Key, Record, ready_within
from leitstand.core.rented import LogLine

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *(
            (text, text)
            for text in (
                "failed to create shim: OCI runtime create failed: runc",
                "docker: failed to register layer: layer does not exist",
                "container ID cannot be mapped to a host ID",
                "leitstand boot: refused: this image has no python3",
                "write /var/lib/docker: no space left on device",
                "toomanyrequests: You have reached your pull rate limit.",
                "pull access denied for worker, repository does not exist",
            )
        ),
        ("\x1b[31mno matching manifest\nfor\t arm64", "no matching manifest for arm64"),
        ("x" * 300 + " OCI runtime create failed", "OCI runtime create failed"),
        ("exec format error: " + "ab" * 20, "exec format error: …"),
        ("Pulling from registry", None),
        ("leitstand boot: fetching 40 files, 900 MB", None),
        ("", None),
    ],
)
def test_a_log_says_whether_a_machine_will_ever_start(text: str, said: str | None) -> None:
    lines = [LogLine(None, "system", "create container"), LogLine(None, "system", text)]
    assert fatal(lines) == said


def test_a_label_says_whose_it_is_and_when_it_ends() -> None:
    name = "instance_01ARZ3NDEKTSV4RRFFQ69G5FAV"
    made = instance.label("abcd1234", name, NOW)
    assert len(made) == 48
    assert label.read(made) == label.Label("abcd1234", name, NOW)


def test_what_a_provider_said_is_kept_short_and_without_what_could_be_a_secret() -> None:
    long = words("word " * 100)
    assert long is not None
    assert (len(long), long[-1]) == (WORDS_CHARACTERS_MAX, "…")
    assert words("token=" + "k" * 40 + " refused") == "… refused"
    assert [words(text) for text in (None, "", " \n")] == [None] * 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ls1-abcd1234-01ARZ3NDEKTSV4RRFFQ69G5FAV-",
        "ls1-abcd1234-01ARZ3NDEKTSV4RRFFQ69G5FAV-1x",
        "ls1-abcd1234-01ARZ3NDEKTSV4RRFFQ69G5FAV-1\n",
        "xls1-abcd1234-01ARZ3NDEKTSV4RRFFQ69G5FAV-1",
        "ls2-abcd1234-01ARZ3NDEKTSV4RRFFQ69G5FAV-1",
        "ls1-abcd1234-and-what-not",
    ],
)
def test_what_only_looks_like_a_label_is_none(text: str) -> None:
    assert label.read(text) is None


@pytest.mark.parametrize(
    ("starts", "seconds", "within"),
    [
        (0.0, 0.0, None),
        (1.0, 100.0, None),
        (2.0, 60.0, limits.READY_DEADLINE_MIN),
        (4.0, 4 * 240.0, timedelta(seconds=720)),
        (4.0, 4 * 9000.0, limits.READY_DEADLINE_MAX),
    ],
)
def test_a_launch_is_waited_for_as_long_as_launches_there_have_taken(
    starts: float, seconds: float, within: timedelta | None
) -> None:
    record = Record(Key("p", "h", "r", "g"), NOW, starts=starts, ready_seconds=seconds)
    assert ready_within(record) == within


@pytest.mark.parametrize(
    ("billed", "since", "more"),
    [
        ("1.20", timedelta(0), "0.20"),
        ("0.90", timedelta(hours=25), "0"),
        ("0.90", timedelta(hours=26), "-0.10"),
        ("1.00", timedelta(hours=30), "0"),
        (None, timedelta(hours=23), "0"),
        (None, timedelta(days=40), "0"),
    ],
)
def test_a_bill_that_says_less_is_believed_once_it_can_grow_no_more(
    billed: str | None, since: timedelta, more: str
) -> None:
    said = None if billed is None else Decimal(billed)
    assert correction(Decimal("1.00"), said, since) == Decimal(more)
