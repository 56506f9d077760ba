"""What is made of the log of a fresh machine, of its label, of its record, and of its bill."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from leitstand.core import instance, label, limits
from leitstand.core.boot import fatal
from leitstand.core.cost import correction
from leitstand.core.history import Key, Record, ready_within
from leitstand.core.rented import LogLine

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("failed to create shim: OCI runtime create failed: runc", "oci runtime create failed"),
        ("docker: failed to register layer: layer does not exist", "failed to register layer"),
        ("container ID cannot be mapped to a host ID", "cannot be mapped to a host id"),
        ("leitstand boot: refused: this image has no python3", "leitstand boot: refused"),
        ("write /var/lib/docker: no space left on device", "no space left on device"),
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
        ("0.90", timedelta(minutes=119), "0"),
        ("0.90", timedelta(hours=2), "-0.10"),
        ("1.00", timedelta(hours=30), "0"),
        (None, timedelta(hours=23), "0"),
        (None, timedelta(hours=24), "-1.00"),
    ],
)
def test_a_bill_that_says_less_is_believed_once_it_can_grow_no_more(
    billed: str | None, since: timedelta, more: str
) -> None:
    said = None if billed is None else Decimal(billed)
    assert correction(Decimal("1.00"), said, since) == Decimal(more)
