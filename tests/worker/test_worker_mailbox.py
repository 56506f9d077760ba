"""A worker that cannot reach the control plane leaves what it made in the mailbox, and ends."""

import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from worker_media import frame_of, probe
from worker_plane import INSTANCE, problem

from leitstand.core.finding import decode
from leitstand.core.letter import unpack
from leitstand.core.limits import MAILBOX_AFTER_SECONDS
from leitstand.vault.envelope import decrypt
from leitstand.worker.attempt import _Run
from leitstand.worker.link import Fenced, Unreachable
from leitstand.worker.mailbox import leave

ROUTES = ("beat", "claim", "finish", "keys", "objects", "renew", "results")
SIGNATURE = "X-Amz-Signature=canary"


class Store:
    """Takes letters by PUT and keeps them by path; `refuses` answers 403."""

    def __init__(self, plane):
        self.letters: dict[str, bytes] = {}
        self.refuses = False
        store = self

        class Front(BaseHTTPRequestHandler):
            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with plane.changed:
                    refused = store.refuses or SIGNATURE not in self.path
                    store.letters |= {} if refused else {urlsplit(self.path).path: body}
                    plane.changed.notify_all()
                plane.note("put!" if refused else "put")
                self.send_response(403 if refused else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def address(self, attempt, number):
        return f"http://127.0.0.1:{self.server.server_port}/{attempt}/{number}?{SIGNATURE}"


@pytest.fixture
def store(plane):
    made = Store(plane)
    plane.mailbox = made.address
    yield made
    made.server.shutdown()
    made.server.server_close()


def cut_at_results(plane):
    """From the first result on the control plane answers nothing."""

    def cut():
        for route in ROUTES:
            plane.before[route] = lambda: problem(503, "later")
        return problem(503, "later")

    plane.before["results"] = cut


def mend(plane, *, but=None):
    for route in ROUTES:
        if route != but:
            plane.before.pop(route, None)


def read(plane, packed):
    """Who wrote a letter, and what it says."""
    letter = unpack(packed)
    now = datetime.now(UTC)
    within = (now - timedelta(minutes=1), now)
    by = plane.authority.writer(letter.certificate_pem, within, letter.signed(), letter.signature)
    plain = b"".join(decrypt(plane.result_identity, [letter.body]))
    return by, letter, list(decode(plain))


def test_cut_off_it_leaves_its_result_and_ends_by_itself(plane, worker, store):
    task = plane.add(probe())
    cut_at_results(plane)
    process = worker({"LEITSTAND_TEST_UNREACHABLE_SECONDS": "3"})
    plane.wait(lambda: store.letters)
    assert process.wait() == 5
    ((path, packed),) = store.letters.items()
    by, letter, lines = read(plane, packed)
    assert path == f"/{task.attempt}/0"
    assert (by, letter.attempt, letter.fence, letter.segment) == (INSTANCE, task.attempt, 1, 0)
    assert lines[0] == frame_of(0)
    assert plane.results == {}
    assert "result left in the mailbox" in process.log
    assert "canary" not in process.log


def test_when_the_line_comes_back_it_hands_in_the_same_and_says_how_it_ended(plane, worker, store):
    task = plane.add(probe(segments=2))
    cut_at_results(plane)
    worker()
    plane.wait(lambda: store.letters)
    mend(plane)
    plane.wait_finished(task)
    assert task.finished["outcome"] == "done"
    assert plane.lines(task, 0)[0] == frame_of(0)
    assert plane.lines(task, 1)[0] == frame_of(1)
    for packed in store.letters.values():
        letter = unpack(packed)
        assert plane.results[task.id, letter.segment] == letter.body


def test_a_failure_further_on_does_not_take_back_what_was_left(plane, worker, store):
    task = plane.add(probe(segments=2))
    cut_at_results(plane)
    worker()
    plane.wait(lambda: store.letters)
    plane.before["objects"] = lambda: problem(404, "unknown-object")
    mend(plane, but="objects")
    plane.wait_finished(task)
    assert task.finished["outcome"] == "failed"
    assert plane.lines(task, 0)[0] == frame_of(0)


def test_a_mailbox_that_refuses_is_no_reason_to_give_up(plane, worker, store):
    store.refuses = True
    task = plane.add(probe())
    cut_at_results(plane)
    worker()
    plane.wait(lambda: "put!" in plane.calls)
    mend(plane)
    plane.wait_finished(task)
    assert (task.finished["outcome"], store.letters) == ("done", {})


def test_each_beat_brings_fresh_addresses(plane, worker, store):
    given = []

    def address(attempt, number):
        given.append(number)
        last = "" if len(given) > 1 else "/ended?"
        return store.address(attempt, number).replace(SIGNATURE, last or SIGNATURE)

    plane.mailbox = address
    task = plane.add(probe())

    def after_a_beat():
        plane.wait(lambda: len(given) > 2)
        cut_at_results(plane)
        return problem(503, "later")

    plane.before["results"] = after_a_beat
    worker()
    plane.wait(lambda: store.letters)
    assert list(store.letters) == [f"/{task.attempt}/0"]


def test_where_nobody_answered_for_long_the_mailbox_comes_first():
    tried = []

    def run(silent, *, direct=None, left=None):
        link = SimpleNamespace(silent_seconds=lambda: silent)
        live = SimpleNamespace(
            lease=SimpleNamespace(attempt="a", fence=1), mailbox={0: "x"}, check=lambda: None
        )
        made = _Run(live, SimpleNamespace(link=link), None)

        def way(name, error):
            def go(*_):
                tried.append(name)
                if error is not None:
                    raise error

            return go

        made._put, made._leave = way("direct", direct), way("left", left)
        tried.clear()
        made._hand_in(0, b"sealed", False)
        return list(tried)

    no = Unreachable("no")
    long = MAILBOX_AFTER_SECONDS
    assert run(0) == ["direct"]
    assert run(0, direct=no) == ["direct", "left"]
    assert run(long) == ["left"]
    assert run(long, left=no) == ["left", "direct"]
    with pytest.raises(Unreachable):
        run(0, direct=no, left=no)
    with pytest.raises(Fenced):  # what was answered is an answer
        run(0, direct=Fenced())
    assert tried == ["direct"]


@pytest.mark.parametrize(
    "address",
    ["http://198.51.100.1/x", "http://localhost.example/x", "ftp://127.0.0.1/x", "", "/x"],
)
def test_no_letter_goes_over_a_line_that_others_read(address):
    with pytest.raises(Unreachable, match="no address that may be used"):
        leave(None, address, "attempt", 1, 0, b"sealed", False)
