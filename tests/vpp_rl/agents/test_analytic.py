from dataclasses import replace

import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounter

from vpp_envs.communication.settings import LinkSpec
from vpp_envs.errors import InputError
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.fleet.pick import map_columns
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.kernels import rows_at
from vpp_envs.outage.settings import OutageSpec
from vpp_envs.people.settings import PeopleSpec
from vpp_envs.reward import reward_parts
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents import analytic
from vpp_rl.agents.analytic import AnalyticLearner, AnalyticSettings, smooth_step
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.agents.ppo import PpoSettings

TEMPERATURE = torch.tensor(0.03)


def noisy_policy(env, seed=0, size=8):
    """A policy somewhere in the middle of its training."""
    generator = torch.Generator().manual_seed(seed)
    policy = PolicyNetwork(len(env.observation_names), len(env.action_names), (size,))
    with torch.no_grad():
        for weight in policy.parameters():
            weight.copy_(0.2 * torch.randn(weight.shape, generator=generator))
    return policy.double()


def earned(policy, env, ticks, temperature=TEMPERATURE):
    state, profit = env.state, torch.zeros(env.num_envs, dtype=torch.float64)
    for tick in range(ticks):
        rows = rows_at(env.tables, env.tick + tick, env.dtype)
        state, gain = smooth_step(
            policy, state, rows, env.fleet, env.dispatch, env.scenario.dt_h, temperature
        )
        profit = profit + gain
    return profit


@pytest.mark.parametrize("mode", ["value_curve", "cohort_power", "per_device"])
def test_the_gradient_through_the_simulator_is_the_finite_difference(day_spec, mode):
    env = FleetVectorEnv(day_spec, 3, dispatch=mode, dtype="float64", autoreset_mode="Disabled")
    env.reset(seed=4, options={"start_ticks": [130, 288 + 200, 2 * 288 + 60]})
    policy = noisy_policy(env)
    earned(policy, env, 12).sum().backward()
    step = 1e-6
    for weight in (policy.head.bias, policy.head.weight, policy.body[0].bias):
        flat, slope = weight.data.view(-1), weight.grad.view(-1)
        for index in range(0, len(flat), max(1, len(flat) // 6)):
            middle = flat[index].item()
            both = []
            for side in (step, -step):
                flat[index] = middle + side
                with torch.no_grad():
                    both.append(earned(policy, env, 12).sum().item())
            flat[index] = middle
            difference = (both[0] - both[1]) / (2 * step)
            assert slope[index].item() == pytest.approx(difference, rel=1e-4, abs=1e-5)
    assert policy.head.bias.grad.abs().max() > 1e-3


@pytest.mark.parametrize("mode", ["value_curve", "cohort_power", "per_device"])
def test_an_untrained_policy_has_a_gradient_to_follow(day_spec, mode):
    env = FleetVectorEnv(day_spec, 4, dispatch=mode, dtype="float64", autoreset_mode="Disabled")
    env.reset(seed=4, options={"start_ticks": torch.arange(4) * 288 + 120})
    policy = PolicyNetwork(len(env.observation_names), len(env.action_names), (8,)).double()
    earned(policy, env, 24).sum().backward()
    for name, slope in zip(env.action_names, policy.head.bias.grad, strict=True):
        assert slope.abs() > 0, name


@pytest.mark.parametrize("mode", ["cohort_power", "per_device"])
def test_what_the_learner_earns_is_what_the_environment_pays(day_spec, mode):
    env = FleetVectorEnv(day_spec, 2, dispatch=mode, dtype="float64", autoreset_mode="Disabled")
    env.reset(seed=4)
    policy = noisy_policy(env)
    with torch.no_grad():
        ours = earned(policy, env, 30, temperature=0.0)
        theirs = np.zeros(2)
        for _ in range(30):
            env.step(policy(env.observation))
            theirs += torch.stack(reward_parts(env.last[1], torch.tensor(1.0), 1.0)).sum(0).numpy()
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-9, atol=1e-9)


def test_a_smooth_decision_turns_into_the_hard_one_as_it_cools(day_spec):
    env = FleetVectorEnv(day_spec, 4, dtype="float64", autoreset_mode="Disabled")
    env.reset(seed=4)
    policy = noisy_policy(env)
    with torch.no_grad():
        hard = earned(policy, env, 24, 0.0)
        gaps = [(earned(policy, env, 24, t) - hard).abs().max() for t in (0.1, 1e-2, 1e-4, 1e-7)]
    assert gaps[0] > gaps[-1]
    assert gaps[-1] < 1e-3


def settings_for(iterations, **more):
    return AnalyticSettings(
        hidden=(16,),
        scenarios=8,
        homes=8,
        window_h=3.0,
        horizon_h=1.5,
        seconds=1e9,
        iterations=iterations,
        **more,
    )


def trained(env, settings, seed=0, compile=False):
    """The policy after all updates of a budget, and what each did."""
    learner = AnalyticLearner(env, settings, seed, compile)
    updates = [learner.update(at / settings.iterations) for at in range(settings.iterations)]
    return learner.network, updates


@pytest.mark.parametrize("mode", ["value_curve", "cohort_power"])
def test_a_few_gradient_steps_raise_the_profit_of_the_training_days(day_spec, mode):
    env = FleetVectorEnv(day_spec, 16, dispatch=mode, autoreset_mode="Disabled")
    policy, _ = trained(env, settings_for(12, learning_rate=2e-2))
    env.reset(seed=77, options={"start_ticks": torch.arange(16) * 54})
    untrained = PolicyNetwork(len(env.observation_names), len(env.action_names), (16,))
    with torch.no_grad():
        before = earned(untrained, env, 36, 0.01).mean()
        after = earned(policy, env, 36, 0.01).mean()
    assert after > before


def test_training_repeats_itself_from_its_seed(day_spec):
    env = FleetVectorEnv(day_spec, 4, autoreset_mode="Disabled")
    seen = [trained(env, settings_for(2), seed)[1] for seed in (1, 1, 2)]
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert seen[0][-1].home_steps == 8 * 8 * 18  # windows x homes x five-minute intervals


def test_a_window_goes_on_where_the_last_gradient_step_left_it(day_spec):
    """Two horizons of a policy that does not learn are its whole window."""
    env = FleetVectorEnv(day_spec, 4, autoreset_mode="Disabled")
    profits = {}
    for horizon_h in (3.0, 1.5):
        settings = replace(settings_for(round(3.0 / horizon_h)), horizon_h=horizon_h)
        settings = replace(settings, learning_rate=0.0, final_temperature=settings.temperature)
        _, updates = trained(env, settings)
        profits[horizon_h] = np.mean([update.profit_per_kw_day for update in updates])
    assert profits[1.5] == pytest.approx(profits[3.0], rel=1e-4)


def test_homes_with_a_battery_are_drawn_first(day_spec):
    few = replace(day_spec, fleet=replace(day_spec.fleet, homes=8, battery_share=0.2))
    env = FleetVectorEnv(few, 4, autoreset_mode="Disabled")
    settings = replace(settings_for(6), homes=1, window_h=1.0, horizon_h=1.0)
    policy, updates = trained(env, settings)
    # Money over a rating of nothing would be endless.
    assert all(abs(update.profit_per_kw_day) < 100.0 for update in updates)
    assert all(weight.isfinite().all() for weight in policy.parameters())


def test_settings_that_cannot_train_are_refused():
    with pytest.raises(InputError, match=r"agent\.window_h must be whole half hours"):
        AnalyticSettings(window_h=0.1)
    with pytest.raises(InputError, match=r"agent\.horizon_h=5\.0 must divide agent\.window_h=24"):
        AnalyticSettings(horizon_h=5.0)
    with pytest.raises(InputError, match=r"agent\.homes must be at least 1, got 0"):
        AnalyticSettings(homes=0)
    with pytest.raises(
        InputError, match=r"agent\.seconds must be above 0, or null for no limit, got 0"
    ):
        AnalyticSettings(seconds=0.0)
    with pytest.raises(InputError, match=r"agent\.temperature must be above 0, got -1"):
        AnalyticSettings(temperature=-1.0)
    with pytest.raises(InputError, match=r"agent\.epochs must be at least 1, got 0"):
        PpoSettings(epochs=0)
    with pytest.raises(InputError, match=r"agent\.learning_rate must be at least 0, got nan"):
        PpoSettings(learning_rate=float("nan"))


def test_a_window_longer_than_the_training_days_is_refused(day_spec):
    env = FleetVectorEnv(day_spec, 2, autoreset_mode="Disabled")
    settings = AnalyticSettings(scenarios=2, window_h=120.0, horizon_h=12.0, iterations=1)
    with pytest.raises(InputError, match=r"agent\.window_h=120 is longer than the training days"):
        AnalyticLearner(env, settings, 0)


@pytest.mark.parametrize(
    ("mode", "homes"), [("value_curve", None), ("cohort_power", None), ("cohort_power", 5)]
)
def test_all_ticks_temperatures_and_horizons_share_one_graph(day_spec, mode, homes, monkeypatch):
    """A second graph costs as long to compile as the first."""
    counter = CompileCounter()
    fuse = torch.compile
    monkeypatch.setattr(torch, "compile", lambda step, **more: fuse(step, backend=counter, **more))
    spec = replace(day_spec, fleet_mix=FleetMix(homes))
    env = FleetVectorEnv(spec, 4, dispatch=mode, autoreset_mode="Disabled")
    settings = AnalyticSettings(scenarios=4, window_h=2.0, horizon_h=1.0, iterations=6)
    trained(env, settings, compile=True)
    assert counter.frame_count == 1


def mixed_learner(spec, **more):
    """A learner whose windows have three homes, or as many as the scenario draws for each."""
    env = FleetVectorEnv(spec, 4, dtype="float64", autoreset_mode="Disabled", **more)
    settings = replace(settings_for(2), homes=3, scenarios=3, window_h=1.0, horizon_h=0.5)
    return AnalyticLearner(env, settings, 0), env, settings


@pytest.mark.parametrize("dispatch", ["value_curve", "cohort_power"])
@pytest.mark.parametrize("kind", ["day_spec", "tariff_days"])
def test_windows_with_homes_of_their_own_are_windows_alone_with_those_homes(
    request, kind, dispatch
):
    """Profit and gradient; with batteries, and with sun, cars and a tariff beside them."""
    spec = request.getfixturevalue(kind)
    learner, env, settings = mixed_learner(
        replace(spec, fleet_mix=FleetMix(homes=5)), dispatch=dispatch
    )
    learner.network.load_state_dict(noisy_policy(env, size=16).state_dict())
    course = learner._course
    assert course.fleet.home_id.shape == (3, 5)
    assert len(course.fleet.home_id.unique(dim=0)) > 1

    def climbed(course):
        learner.network.zero_grad()
        profit, _ = analytic._go_on(
            env, learner.network, settings, course, TEMPERATURE.double(), smooth_step
        )
        profit.sum().backward()
        return profit.detach(), [weight.grad.clone() for weight in learner.network.parameters()]

    together, gradient = climbed(course)
    alone = []
    for row in range(3):
        one = map_columns(course, lambda part, row=row: part[row : row + 1])
        fleet = map_columns(course.fleet, lambda column, row=row: column[row])
        assert fleet.home_id.shape == (5,)
        alone.append(climbed(one._replace(fleet=fleet)))
    torch.testing.assert_close(together, torch.cat([profit for profit, _ in alone]))
    for whole, *parts in zip(gradient, *(slopes for _, slopes in alone), strict=True):
        torch.testing.assert_close(whole, sum(parts), rtol=1e-8, atol=1e-10)
    assert max(float(slope.abs().max()) for slope in gradient) > 1e-3


def test_every_window_of_a_mix_draws_its_homes_and_the_next_others(mixed_days):
    learner, _, _ = mixed_learner(mixed_days)
    first = learner._course.fleet.home_id
    learner.update(0.0)
    assert torch.equal(learner._course.fleet.home_id, first)  # the window goes on
    learner.update(0.5)
    learner.update(1.0)
    assert not torch.equal(learner._course.fleet.home_id, first)
    plain, _, _ = mixed_learner(replace(mixed_days, fleet_mix=FleetMix()))
    assert plain._course.fleet.home_id.shape == (3,)


def test_it_learns_with_owners_links_and_outages(day_spec):
    """What a home does that cannot be commanded has no gradient, and no number is lost to it."""
    hindered = replace(
        day_spec,
        fleet=FleetSpec(homes=8, seed=3, ev_share=0.6, hvac_share=0.7, water_heater_share=0.7),
        people=PeopleSpec(enrolled_share=0.8, event_days=4),
        links=LinkSpec(kinds=4, online=0.7),
        outages=OutageSpec(feeders=3, interruptions_a_year=400.0),
    )
    learner, _, _ = mixed_learner(hindered)
    owners = learner._course.state.residents
    assert len(owners.seed.unique()) == 3
    before = [weight.clone() for weight in learner.network.parameters()]
    for share in (0.0, 0.2, 0.4):
        learner.update(share)
    moved = [
        float((weight - old).detach().abs().max())
        for weight, old in zip(learner.network.parameters(), before, strict=True)
    ]
    assert all(bool(weight.isfinite().all()) for weight in learner.network.parameters())
    assert max(moved) > 0
    assert int(learner._course.state.residents.tick[0]) == int(learner._course.tick[0])


@pytest.mark.cuda
def test_the_gradient_on_a_gpu_is_the_one_on_a_cpu(day_spec):
    settings = AnalyticSettings(scenarios=4, window_h=2.0, horizon_h=1.0, iterations=2)
    weights = []
    for device in ("cpu", "cuda"):
        env = FleetVectorEnv(day_spec, 4, dtype="float64", device=device, autoreset_mode="Disabled")
        policy, _ = trained(env, settings)
        weights.append(torch.cat([p.detach().cpu().flatten() for p in policy.parameters()]))
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-4, atol=1e-6)
