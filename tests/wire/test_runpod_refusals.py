"""Every refusal of the simulated RunPod happens, and each is missed when it is lifted."""

import pytest

from tests.wire.runpod_api import Api
from tests.wire.runpod_refusals import PROVOCATIONS
from tests.wire.runpod_rules import RULES


def test_every_rule_has_its_provocation():
    assert PROVOCATIONS.keys() == RULES.keys()


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_refuses_with_its_status_and_is_missed_when_lifted(rule):
    api = Api()
    PROVOCATIONS[rule](api)
    assert api.sim.rules.spoke[-1:] == [rule]
    assert api.sim.calls[-1][2] == RULES[rule].status
    assert api.body["status"] == RULES[rule].status
    assert api.body["detail"]
    if RULES[rule].status == 422 and ":" in rule:
        assert api.body["errors"]

    without = Api(lifted=frozenset({rule}))
    PROVOCATIONS[rule](without)
    assert rule not in without.sim.rules.spoke
