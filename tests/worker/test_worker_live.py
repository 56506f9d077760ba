"""Leases on the worker's own clock, verdicts of beats, and winding down."""

import pytest

from leitstand.core.limits import RESULT_BYTES_MAX
from leitstand.vault.envelope import Identity
from leitstand.worker.attempt import _Run
from leitstand.worker.blame import Failure
from leitstand.worker.lease import parse
from leitstand.worker.live import Board, Ended, LiveAttempt
from leitstand.worker.pulse import Pulse

LEASE = {
    "attempt": "att_1",
    "fence": 7,
    "lease_seconds": 60,
    "task": {
        "id": "task_1",
        "pipeline": "video",
        "profile": "standard",
        "stream": "video:0",
        "medium": "med_1",
    },
    "segments": [
        {
            "number": 3,
            "from_us": 0,
            "to_us": 10,
            "format": "matroska",
            "object_id": "obj_1",
            "bytes": 100,
            "sha256": "ab" * 32,
        }
    ],
    "models": [],
    "result_recipient": "age1x",
    "release_info": "e30=",
}


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def attempt(clock):
    return LiveAttempt(parse(LEASE), clock.now, clock)


def test_a_lease_counts_from_before_the_request_was_sent(clock):
    attempt = LiveAttempt(parse(LEASE), clock.now - 59, clock)
    attempt.check()
    clock.now += 1
    with pytest.raises(Ended):
        attempt.check()


def test_a_renewal_counts_from_when_the_beat_was_sent(clock, attempt):
    clock.now += 50
    attempt.renew(clock.now - 5, 60)
    clock.now += 54
    attempt.check()
    clock.now += 1
    assert not attempt.alive()


def test_a_late_answer_to_an_early_beat_does_not_shorten_a_lease(clock, attempt):
    attempt.renew(clock.now, 100)
    attempt.renew(clock.now - 50, 100)
    clock.now += 99
    attempt.check()


def test_a_lease_that_ran_out_never_comes_back(clock, attempt):
    clock.now += 60
    assert not attempt.alive()
    attempt.renew(clock.now, 60)
    with pytest.raises(Ended):
        attempt.check()


def test_the_key_goes_when_the_right_to_write_goes(clock, attempt):
    attempt.keep(Identity.generate())
    assert attempt.identity
    attempt.revoke()
    with pytest.raises(Ended):
        _ = attempt.identity


def test_the_key_goes_with_a_lease_that_ran_out_at_the_next_look_of_the_network_thread(
    clock, attempt
):
    board = Board()
    board.enter(attempt)
    attempt.keep(Identity.generate())
    clock.now += 61
    assert board.attempts() == []
    with pytest.raises(Ended):
        _ = attempt.identity


def test_a_lease_that_is_told_twice_is_worked_on_once(clock, attempt):
    board = Board()
    assert board.enter(attempt)
    again = LiveAttempt(attempt.lease, clock.now, lambda: clock.now)
    assert not board.enter(again)
    assert board.attempts() == [attempt]


@pytest.mark.parametrize(
    ("pipeline", "code"), [("fuse", "report-too-large"), ("image", "result-too-large")]
)
def test_what_is_too_large_to_store_is_not_made_again(clock, pipeline, code):
    lease = parse(LEASE | {"task": {**LEASE["task"], "pipeline": pipeline}})
    run = _Run(LiveAttempt(lease, clock.now, clock), None, None)
    with pytest.raises(Failure) as caught:
        run._commit(lease.segments[0], bytes(RESULT_BYTES_MAX), False)
    assert (caught.value.code, caught.value.blame) == (code, "item")


def test_a_board_that_ends_takes_no_attempt_and_revokes_all(attempt):
    board = Board()
    board.enter(attempt)
    board.end()
    assert not attempt.alive()
    assert board.draining
    with pytest.raises(Ended):
        board.enter(attempt)
    board.leave(attempt)
    assert board.empty()


@pytest.mark.parametrize(
    "harm",
    [
        lambda raw: raw.pop("fence"),
        lambda raw: raw.update(attempt="../../etc"),
        lambda raw: raw.update(task={**raw["task"], "pipeline": "os.path"}),
        lambda raw: raw.update(segments=[{"number": 1}]),
        lambda raw: raw.update(release_info="not base64!"),
        lambda raw: raw.update(task=None),
    ],
)
def test_a_lease_that_is_not_complete_or_names_no_module_is_refused(harm):
    raw = {**LEASE}
    harm(raw)
    with pytest.raises(ValueError):
        parse(raw)


# --- beats ---------------------------------------------------------------------------------------


class Control:
    """Answers beats as a test says."""

    def __init__(self, **reply):
        self.reply = reply
        self.said = []

    def beat(self, attempts, readings):
        self.said.append(attempts)
        return self.reply


class NoGpus:
    def look(self):
        return (), "no NVML library"


def beat_once(board, clock, **reply):
    control = Control(**reply)
    pulse = Pulse(control, board, None, NoGpus(), {"beat_seconds": 5, "renew_seconds": 900}, clock)
    pulse.beat()
    return control


@pytest.fixture
def board(attempt):
    board = Board()
    board.enter(attempt)
    return board


def test_go_renews_the_lease(board, attempt, clock):
    clock.now += 59
    beat_once(board, clock, attempts={"att_1": {"verdict": "go", "lease_seconds": 60}})
    clock.now += 59
    assert attempt.alive()


@pytest.mark.parametrize("verdict", ["stop", "fenced"])
def test_stop_and_fenced_revoke(board, attempt, clock, verdict):
    beat_once(board, clock, attempts={"att_1": {"verdict": verdict, "lease_seconds": 0}})
    assert not attempt.alive()


def test_hold_lets_the_segment_finish_under_a_renewed_lease(board, attempt, clock):
    clock.now += 59
    beat_once(board, clock, attempts={"att_1": {"verdict": "hold", "lease_seconds": 60}})
    assert attempt.held
    clock.now += 59
    assert attempt.alive()


@pytest.mark.parametrize("verdict", [None, {}, {"verdict": "dance"}, "go"])
def test_an_answer_without_a_known_verdict_renews_nothing(board, attempt, clock, verdict):
    beat_once(board, clock, attempts={"att_1": verdict} if verdict is not None else {})
    assert attempt.alive()
    clock.now += 60
    assert not attempt.alive()


def test_a_beat_names_attempt_fence_segment_and_progress(board, attempt, clock):
    attempt.advance(5)
    attempt.advance(2)
    control = beat_once(board, clock)
    assert control.said == [[{"attempt": "att_1", "fence": 7, "segment": 3, "units": 7}]]


def test_drain_of_the_instance_stops_claims_but_not_attempts(board, attempt, clock):
    beat_once(board, clock, instance={"drain": True})
    assert board.draining
    assert attempt.alive()
