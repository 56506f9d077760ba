"""Commands on cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from leitstand.control.commands import Command
from leitstand.control.transaction import CASE, Tx
from leitstand.core.medium import DATA_CLASS, INBOX, Case
from leitstand.core.problem import Exit, Problem
from leitstand.store import cases


@dataclass(frozen=True, slots=True)
class OpenCase(Command[Case]):
    """Find the case of this name, or open it. Several inboxes may exist, one per data class; without
    a class the inbox is that of the default one, whichever others were opened since."""

    name: str
    data_class: int | None = None
    action: ClassVar[str] = "cases.open"

    def apply(self, tx: Tx) -> Case:
        """Raises Problem `case-class-differs` when the case exists under another class."""
        if not 0 <= (self.data_class or 0) <= 3:
            raise Problem("bad-class", Exit.USAGE, option="data_class", given=str(self.data_class))
        wanted = self.data_class
        if wanted is None and self.name == INBOX:
            wanted = DATA_CLASS
        for case in cases.every(tx.conn, tx.tenant):
            if title_of(tx, case) != self.name:
                continue
            if wanted in (None, case.data_class):
                return case
            if self.name != INBOX:
                raise Problem(
                    "case-class-differs",
                    Exit.USAGE,
                    case=self.name,
                    has=case.data_class,
                    asked=self.data_class,
                )
        return self._open(tx)

    def _open(self, tx: Tx) -> Case:
        case_id = tx.new_id("case")
        key_id, _, _ = tx.new_key("case", case_id, identity=False)
        payload_key_id, _, _ = tx.new_key("payload", case_id, identity=False)
        row = {
            **tx.born(case_id, "case"),
            "data_class": DATA_CLASS if self.data_class is None else self.data_class,
            "retention_until": None,
            "legal_hold": False,
            "key_id": key_id,
            "payload_key_id": payload_key_id,
            "sealed": tx.seal("cases", case_id, key_id, {"title": self.name}),
        }
        tx.create(CASE, [row])
        return tx.case(case_id)


def title_of(tx: Tx, case: Case) -> str:
    """The name that a person gave a case."""
    return str(tx.unseal("cases", case)["title"])
