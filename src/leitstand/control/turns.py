"""Everybody's turn: a step reaches each of its items, however many there are and whatever one of
them raises."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from leitstand.core import limits
from leitstand.core.job import Job
from leitstand.ports import Database
from leitstand.store import jobs

log = structlog.get_logger(__name__)


class Turns:
    """Items of one step. What one raises is logged and stops no other; the first of it is raised
    again at the end, so that a failed step still says that it failed."""

    def __init__(self) -> None:
        self._first: Exception | None = None

    def take(self, item: str, do: Callable[[], object]) -> None:
        """Do one item, named in the log by its id."""
        try:
            do()
        except Exception as error:
            log.warning("turn.failed", item=item, error=type(error).__name__)
            self._first = self._first or error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self._first is not None:
            raise self._first


class Rounds:
    """Open jobs page by page: each call goes on where the last one ended, and begins anew after the
    last page."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last: Job | None = None

    def next(self) -> list[jobs.OpenWork]:
        """The next page."""
        found = self._page()
        if not found and self._last is not None:
            self._last = None
            found = self._page()
        full = len(found) == limits.UNITS_PER_STEP_MAX
        self._last = found[-1].job if full else None
        return found

    def _page(self) -> list[jobs.OpenWork]:
        return self._database.read(
            lambda conn: jobs.open_work(conn, limits.UNITS_PER_STEP_MAX, self._last)
        )
