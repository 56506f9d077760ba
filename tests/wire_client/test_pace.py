"""How often a provider is called with one key: quotas, ranks, hints, several threads."""

import threading
from datetime import timedelta

import pytest

from leitstand.ports import RateLimited
from leitstand.wire.pace import Pace, Quota, Rank


class Time:
    """Stands still until it is moved, or until somebody sleeps."""

    def __init__(self):
        self.at = 1000.0
        self.slept = []

    def __call__(self):
        return self.at

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.at += seconds


@pytest.fixture
def time():
    return Time()


def made(time, *quotas, **endpoints):
    return Pace({"": quotas, **endpoints} if quotas else endpoints, time, time.sleep)


def used_up(pace, endpoint, rank, most=1000):
    """How many calls pass before one is told to come later."""
    for count in range(most):
        try:
            pace.take(endpoint, rank)
        except RateLimited:
            return count
    return most


def test_a_rank_uses_its_part_and_leaves_the_rest_to_those_above(time):
    pace = made(time, Quota(60, 60))
    passed = [used_up(pace, "x", rank) for rank in reversed(Rank)]
    assert passed == [24, 12, 6, 3, 15]


def test_ends_have_a_budget_that_nothing_else_can_use(time):
    pace = made(time, Quota(60, 60))
    for rank in Rank:
        if rank is not Rank.END:
            used_up(pace, "x", rank)
    assert used_up(pace, "end", Rank.END) == 15


def test_who_comes_too_early_is_told_when(time):
    pace = made(time, Quota(4, 60))
    used_up(pace, "x", Rank.LOOK)
    time.at += 20
    with pytest.raises(RateLimited) as told:
        pace.take("x", Rank.LOOK)
    assert told.value.retry_after == timedelta(seconds=40)
    time.at += 40
    pace.take("x", Rank.LOOK)
    assert time.slept == []


def test_less_than_a_second_is_waited_out(time):
    pace = made(time, page=[Quota(1, 0.75)])
    for _ in range(3):
        pace.take("page", Rank.LOOK)
    assert time.slept == [0.75, 0.75]


def test_a_create_may_follow_another_and_no_hint_is_slept_through(time):
    pace = made(time, create=[Quota(1, 4.5)])
    for _ in range(2):
        pace.take("create", Rank.CREATE)
    assert time.slept == [4.5]
    pace.refused("create", timedelta(seconds=3))
    with pytest.raises(RateLimited):
        pace.take("create", Rank.CREATE)


def test_endpoints_have_quotas_of_their_own(time):
    pace = made(time, search=[Quota(1, 30)], list=[Quota(1, 5)])
    pace.take("search", Rank.SEARCH)
    pace.take("list", Rank.LOOK)
    with pytest.raises(RateLimited) as told:
        pace.take("search", Rank.SEARCH)
    assert told.value.retry_after == timedelta(seconds=30)
    pace.take("without a quota", Rank.LOOK)


def test_an_endpoint_with_a_quota_of_its_own_may_use_all_of_it(time):
    pace = made(time, search=[Quota(10, 60)])
    assert used_up(pace, "search", Rank.SEARCH) == 10


def test_a_hint_holds_everything_back_and_no_hint_nothing(time):
    pace = made(time, Quota(60, 60))
    pace.refused("x", None)
    pace.take("x", Rank.LOOK)
    pace.refused("x", timedelta(seconds=7))
    with pytest.raises(RateLimited) as told:
        pace.take("y", Rank.STOP)
    assert told.value.retry_after == timedelta(seconds=7)
    time.at += 7
    pace.take("y", Rank.STOP)


def test_one_end_a_minute_is_tried_whatever_the_books_say(time):
    pace = made(time, Quota(60, 60), Quota(100, 86_400))
    pace.refused("x", timedelta(days=1))
    pace.take("end", Rank.END)
    with pytest.raises(RateLimited) as told:
        pace.take("end", Rank.END)
    assert told.value.retry_after == timedelta(seconds=60)
    time.at += 60
    pace.take("end", Rank.END)
    with pytest.raises(RateLimited):
        pace.take("x", Rank.STOP)


def headers(left, resets, quota=60, window=60):
    return {
        "ratelimit-policy": f'"minute";q={quota};w={window}, "day";q=50000;w=86400',
        "ratelimit": f'"minute";r={left};t={resets}, "day";r=49000;t=4000',
    }


def test_the_provider_counts_better_than_we_do(time):
    pace = made(time, Quota(60, 60))
    pace.take("x", Rank.LOOK)
    pace.heard(headers(left=20, resets=30))
    assert used_up(pace, "x", Rank.LOOK) == 2
    time.at += 30
    assert used_up(pace, "x", Rank.LOOK) == 42


def test_a_quota_that_changes_is_kept_to(time):
    pace = made(time, Quota(60, 60))
    pace.heard(headers(left=10, resets=60, quota=10))
    assert used_up(pace, "x", Rank.END) == 10


def test_an_answer_that_comes_late_does_not_give_calls_back(time):
    pace = made(time, Quota(10, 60))
    pace.heard(headers(left=10, resets=60, quota=10))
    used_up(pace, "x", Rank.LOOK)
    pace.heard(headers(left=9, resets=60, quota=10))
    with pytest.raises(RateLimited):
        pace.take("x", Rank.LOOK)


@pytest.mark.parametrize("text", ["", "nonsense", '"a";q=0;w=0', '"a";q=9;w=' + "9" * 40])
def test_headers_that_say_nothing_change_nothing(time, text):
    pace = made(time, Quota(4, 60))
    pace.heard({"ratelimit-policy": text, "ratelimit": text})
    assert used_up(pace, "x", Rank.LOOK) == 3


def test_threads_share_one_count(time):
    pace = made(time, Quota(60, 60))
    passed = []
    threads = [
        threading.Thread(target=lambda: passed.append(used_up(pace, "x", Rank.LOOK)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 42
