"""What a person is told when rented machines could not dial in."""

from __future__ import annotations

from typing import Any

import pytest

from leitstand.cli import plans
from leitstand.core.problem import Exit, Problem
from leitstand.core.reach import RULES
from leitstand.messages import LANGUAGES, Texts

URL = "https://192.168.1.2:8443"


def decision(rule: str) -> dict[str, Any]:
    row = {"rule": rule, "count": 3, "has": URL, "needs": "a public https address"}
    return {"chosen": None, "offers_seen": 3, "rejected": [{"rule": "vram", "count": 1}, row]}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("rule", RULES)
def test_an_address_that_nobody_reaches_is_refused_with_every_remedy(lang: str, rule: str) -> None:
    with pytest.raises(Problem) as caught:
        plans.check(decision(rule))
    assert caught.value.exit == Exit.REFUSED
    told = Texts(lang).problem(caught.value.code, caught.value.params)
    assert URL in told.what
    assert told.why and rule not in told.why
    for remedy in ("worker.advertise_url", "Server" if lang == "de" else "server", "ssh -R", "VPN"):
        assert remedy in str(told.do)
    assert Texts(lang).knows(f"cli-helps-{rule}")


def test_an_own_machine_that_may_work_needs_no_address() -> None:
    plans.check(decision(RULES[0]) | {"chosen": {"offer": {}}})
