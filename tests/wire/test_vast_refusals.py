"""Every refusal of the simulated Vast.ai happens, and each is missed when it is lifted."""

import pytest

from tests.wire.vast_api import Api
from tests.wire.vast_refusals import PROVOCATIONS, SILENCES
from tests.wire.vast_rules import RULES, SILENT


def test_every_rule_has_its_provocation():
    assert PROVOCATIONS.keys() == RULES.keys()
    assert SILENCES.keys() == SILENT.keys()


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_refuses_with_its_status_and_is_missed_when_lifted(rule):
    api = Api()
    PROVOCATIONS[rule](api)
    assert api.sim.rules.spoke[-1:] == [rule]
    assert api.sim.calls[-1][2] == RULES[rule].status
    if RULES[rule].error:
        assert api.body["success"] is False and api.body["error"] == RULES[rule].error
        assert api.body["msg"]
    else:
        assert api.headers["Content-Type"] == "text/plain"

    without = Api(lifted=frozenset({rule}))
    PROVOCATIONS[rule](without)
    assert rule not in without.sim.rules.spoke


@pytest.mark.parametrize("rule", SILENT)
def test_what_is_silently_not_done_is_done_when_lifted(rule):
    look, seen = SILENCES[rule]
    assert look(Api()) == seen
    assert look(Api(lifted=frozenset({rule}))) > seen
