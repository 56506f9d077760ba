"""State machines as tables: `(state, event) -> state`; a pair that is not listed raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class NotAllowed(Exception):
    """The event does not exist in this state. Always our bug or a stale view of the row."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One noun's states. `initial` is where a row is born, `final` where nothing more happens."""

    noun: str
    initial: str
    final: frozenset[str]
    table: Mapping[tuple[str, str], str]

    def after(self, state: str, event: str) -> str:
        """The next state. Raises NotAllowed."""
        try:
            return self.table[state, event]
        except KeyError:
            raise NotAllowed(f"{self.noun}: {event} in {state}") from None

    def states(self) -> frozenset[str]:
        """Every state that the table can reach, the initial one included."""
        return frozenset({self.initial, *self.final, *self.table.values()})
