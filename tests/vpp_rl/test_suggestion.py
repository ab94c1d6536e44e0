from vpp_rl.suggestion import did_you_mean


def test_did_you_mean_prefers_the_nearest_and_else_the_same_last_part():
    assert did_you_mean("agnet", ["agent", "market"]) == "; did you mean 'agent'?"
    assert did_you_mean("lr", ["agent.optimizer.lr"]) == "; did you mean 'agent.optimizer.lr'?"
    assert did_you_mean("xyz", ["agent"]) == ""
