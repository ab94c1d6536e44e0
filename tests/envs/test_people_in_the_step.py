"""Owners and links in the chain: who may be commanded, what that leaves, who has had enough."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.communication.settings import LinkSpec
from vpp_envs.communication.visible import commandable_fleet
from vpp_envs.dispatch.modes import DISPATCH
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.fleet.pick import map_columns
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.flexible.kinds import flexes
from vpp_envs.observation import fleet_features
from vpp_envs.outage.settings import OutageSpec
from vpp_envs.people.events import EVENT_FEATURES
from vpp_envs.people.settings import PeopleSpec
from vpp_envs.serving import served_of
from vpp_envs.simulator import SetPoints, step_site
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1 / 12
EVENING = 198  # ticks: half past four, before the events
WILLING = PeopleSpec(
    enrolled_share=1.0,
    quiet_share=0.0,
    event_days=4,
    events_a_week=99.0,
    longest_event_h=24.0,
    opt_out=0.0,
    override_per_h=0.0,
    leave_a_month=0.0,
    leave_if_short=0.0,
    most_complaints=1e9,
)
PERFECT = {"people": WILLING, "links": LinkSpec(kinds=4, online=1.0, loss=0.0)}
PERFECT |= {"outages": OutageSpec(feeders=4, interruptions_a_year=0.0)}
# Some leave, some stay out, some are asleep, some are offline.
USUAL = {
    "people": PeopleSpec(enrolled_share=0.8, event_days=4, opt_out=0.3, override_per_h=0.5),
    "links": LinkSpec(kinds=12, online=0.7, loss=0.1),
}


@pytest.fixture(scope="module", params=["mixed", "suburb"])
def any_spec(request, car_spec, suburb_spec):
    return {"mixed": car_spec, "suburb": suburb_spec}[request.param]


@pytest.fixture(scope="module")
def usual_spec(suburb_spec):
    return replace(suburb_spec, fleet=replace(suburb_spec.fleet, homes=24), **USUAL)


def started(spec, rows=3, dispatch="value_curve", at=EVENING, seed=0, **arguments):
    arguments = {"autoreset_mode": "Disabled", **arguments}
    env = FleetVectorEnv(spec, rows, dispatch=dispatch, dtype="float64", **arguments)
    starts = torch.arange(rows) % 2 * 288 + at
    env.reset(seed=seed, options={"start_ticks": starts})
    return env


def acting(env, tick):
    shape = (env.num_envs, len(env.action_names))
    return np.random.default_rng(tick).uniform(-1, 1, shape).astype(np.float32)


def wild(moment, fleet, seed):
    """Set-points far beyond what any device can do."""
    draw = torch.Generator().manual_seed(seed)

    def kw():
        shape = moment.load_kw.shape
        return 60.0 * torch.rand(shape, generator=draw, dtype=torch.float64) - 30.0

    return SetPoints(
        kw(),
        kw(),
        None if moment.ev is None else kw(),
        None if moment.flexes is None else [kw() for _ in moment.flexes],
    )


def silent(moment):
    nobody = torch.full_like(moment.load_kw, torch.nan)
    kinds = None if moment.flexes is None else [nobody] * len(moment.flexes)
    return SetPoints(nobody, nobody, nobody, kinds)


def unhindered(moment, fleet):
    """The same moment in a world where all homes may be commanded."""
    told = None
    if moment.flexible is not None:
        told = flexes(moment.flexible, fleet.flexible, DT_H)
    return moment._replace(may=None, residents=None, flexes=told)


def served_kw(outcome):
    """Everything that was served in each home, (P, B, N)."""
    parts = [outcome.energy_kwh, outcome.battery_kw, outcome.solar_output_kw, outcome.net_kw]
    parts += [outcome.ev.power_kw, outcome.ev.state.energy_kwh]
    if outcome.flexible is not None:
        parts += [served.power_kw for served in served_of(outcome.flexible)]
    return torch.stack(parts)


def leaves(tree):
    """All tensors of a state."""
    found = []
    map_columns(tree, lambda column: found.append(column) or column)
    return found


@pytest.mark.parametrize("dispatch", DISPATCH)
def test_willing_owners_perfect_links_and_a_grid_that_holds_change_nothing(any_spec, dispatch):
    plain = started(any_spec, dispatch=dispatch)
    peopled = started(replace(any_spec, **PERFECT), dispatch=dispatch)
    called = 0.0
    # What a policy sees more of is that an event runs.
    more = [name in EVENT_FEATURES for name in peopled.scenario.feature_names]
    running = peopled.scenario.feature_names.index("programme/event")
    for tick in range(40):
        seen, theirs = peopled.step(acting(plain, tick)), plain.step(acting(plain, tick))
        assert peopled.moment.may.all()
        np.testing.assert_array_equal(seen[0][:, np.logical_not(more)], theirs[0])
        event = peopled.tables.people.event[peopled.tick].squeeze(-1)
        np.testing.assert_array_equal(seen[0][:, running], event)
        np.testing.assert_array_equal(seen[1], theirs[1])
        bare = peopled.state._replace(residents=None)
        for one, other in zip(leaves(bare), leaves(plain.state), strict=True):
            assert torch.equal(one, other)
        totals = peopled.last[1]
        called += float(totals.called_homes.sum())
        apart = totals._replace(called_homes=torch.zeros_like(totals.called_homes))
        for one, other in zip(apart, plain.last[1], strict=True):
            assert torch.equal(one, other)
    assert called == 3 * 8  # every home of every row was called that evening, once


def test_a_home_that_may_not_be_commanded_is_as_if_nobody_asked(any_spec):
    env = started(replace(any_spec, **USUAL))
    hindered, commanded = 0, 0
    for tick in range(60):
        moment, fleet = env.moment, env.fleet
        asked = wild(moment, fleet, tick)
        free = unhindered(moment, fleet)
        happened = served_kw(step_site(asked, moment, fleet, DT_H))
        alone = served_kw(step_site(silent(moment), free, fleet, DT_H))
        heard = served_kw(step_site(asked, free, fleet, DT_H))
        assert torch.equal(happened[:, ~moment.may], alone[:, ~moment.may])
        assert torch.equal(happened[:, moment.may], heard[:, moment.may])
        hindered += int((alone != heard).any(0)[~moment.may].sum())
        commanded += int((alone != heard).any(0)[moment.may].sum())
        env.step(acting(env, tick))
    assert hindered > 50  # where it would have made a difference
    assert commanded > 50


def test_its_command_does_not_matter(usual_spec):
    """Two fleets whose commands differ in homes that cannot be commanded live the same."""
    ours, theirs = (started(usual_spec, dispatch="per_device") for _ in range(2))
    homes = len(ours.fleet.home_id)
    differed = 0
    for tick in range(48):
        action = acting(ours, tick)
        other = action.copy()
        barred = np.flatnonzero(~ours.moment.may[0].numpy())
        for home in barred:
            # Battery, car, and each kind of device; the share of solar is one for all.
            at = [home] + [
                i for i in range(homes + 1, action.shape[1]) if (i - homes - 1) % homes == home
            ]
            other[0, at] = -np.sign(action[0, at])
        differed += len(barred)
        seen, same = ours.step(action), theirs.step(other)
        np.testing.assert_array_equal(seen[0], same[0])
        for one, another in zip(leaves(ours.state), leaves(theirs.state), strict=True):
            assert torch.equal(one, another)
    assert differed > 100


@pytest.mark.parametrize("dispatch", DISPATCH)
def test_dispatch_does_not_look_at_homes_that_it_cannot_command(usual_spec, dispatch):
    env = started(usual_spec, dispatch=dispatch)
    mode, fleet = DISPATCH[dispatch], env.fleet
    for tick in range(12):
        moment = env.moment
        middle = 0.5 * (fleet.agreement.reserve_kwh + fleet.battery.capacity_kwh)
        elsewhere = torch.where(moment.may, moment.energy_kwh, middle)
        other = moment._replace(energy_kwh=elsewhere)
        seen = commandable_fleet(fleet, moment.may)
        action = torch.from_numpy(acting(env, tick)).double()
        asked, asked_else = (mode(action, m, seen, DT_H) for m in (moment, other))
        for one, another in zip(leaves(asked), leaves(asked_else), strict=True):
            torch.testing.assert_close(one[moment.may], another[moment.may], rtol=0, atol=1e-12)
        features = [fleet_features(m, seen, DT_H) for m in (moment, other)]
        torch.testing.assert_close(*features, rtol=0, atol=1e-12)
        env.step(acting(env, tick))
        for one, another in zip(leaves(env.last[0]), leaves(asked), strict=True):
            assert torch.equal(one, another)


def test_a_class_is_as_large_as_what_of_it_can_be_commanded(usual_spec):
    env = started(usual_spec)
    scenario, fleet, kinds = env.scenario, env.fleet, env.fleet.flexible
    batteries_kw = torch.maximum(fleet.battery.discharge_kw, fleet.battery.charge_kw)
    classes = [(scenario.cohort_names, batteries_kw, fleet.cohort)]
    classes += [(scenario.car_names, fleet.ev.params.charge_kw, fleet.ev.cohort)]
    for kind, names in scenario.flexible_names.items():
        devices = getattr(kinds, kind)
        classes += [(names, devices.rated_kw, devices.cohort)]
    sizes = set()
    for tick in range(60):
        seen = torch.from_numpy(env._seen()).double()
        for names, rated_kw, cohort in classes:
            at = [env.observation_names.index(f"{name}/rated_share") for name in names]
            share = seen[:, at].sum(-1) * env.rated_kw
            there = (rated_kw * env.moment.may * (cohort >= 0)).sum(-1)
            torch.testing.assert_close(share, there, rtol=1e-5, atol=1e-5)
            sizes |= set(there.tolist())
        env.step(acting(env, tick))
    assert len(sizes) > 50


@pytest.mark.parametrize("dispatch", DISPATCH)
def test_row_i_of_a_batch_is_the_single_environment_with_its_seed(usual_spec, dispatch):
    batch = started(usual_spec, dispatch=dispatch, seed=7)
    alone = FleetVectorEnv(usual_spec, 1, dispatch=dispatch, dtype="float64")
    alone.reset(seed=8, options={"start_ticks": [288 + EVENING]})
    reacted = 0.0
    for tick in range(50):
        action = acting(batch, tick)
        seen, theirs = batch.step(action), alone.step(action[1:2])
        np.testing.assert_allclose(seen[0][1], theirs[0][0], rtol=0, atol=1e-6)
        np.testing.assert_allclose(seen[1][1], theirs[1][0], rtol=1e-9, atol=1e-9)
        for one, other in zip(leaves(batch.state), leaves(alone.state), strict=True):
            torch.testing.assert_close(one[1], other[0], rtol=0, atol=1e-9)
        reacted += float(alone.last[1].opted_out + alone.last[1].overrode)
        assert torch.equal(batch.state.residents.tick.squeeze(-1), batch.tick)
    assert reacted > 0
    rows = batch.state.residents.state
    assert not torch.equal(rows.overridden[0], rows.overridden[2])  # the same days, other seeds


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_every_episode_has_its_owners_anew(usual_spec, mode):
    spec = replace(usual_spec, people=replace(usual_spec.people, opt_out=0.5))
    env = started(spec, autoreset_mode=mode)
    for tick in range(20):
        env.step(acting(env, tick))
    first = env.state.residents
    assert bool((first.state.calls_week > 0).any())
    env._age[:] = env.scenario.episode_ticks - 1
    truncated = env.step(acting(env, 20))[3]
    assert truncated.all()
    if mode == "NextStep":
        env.step(acting(env, 21))
    elif mode == "Disabled":
        env.reset(options={"reset_mask": truncated})
    second = env.state.residents
    assert torch.equal(second.episode, first.episode + 1)
    assert torch.equal(second.tick.squeeze(-1), env.tick)
    assert torch.equal(second.state.enrolled, env.fleet.people.enrolled.expand(3, -1))
    assert not bool((second.state.calls_week > 0).any())
    again = started(spec)
    again.reset(options={"start_ticks": [EVENING, 288 + EVENING, EVENING]})  # the second episode
    for tick in range(20):
        again.step(acting(again, tick))
    assert torch.equal(again.state.residents.seed, first.seed)
    assert not torch.equal(again.state.residents.state.opted_out, first.state.opted_out)


def test_owners_under_harsh_dispatch_override_more_than_when_left_alone(small_spec):
    """Heating and cooling at the edge of its band in long events, against its own thermostat."""
    people = PeopleSpec(
        enrolled_share=1.0,
        quiet_share=0.0,
        event_days=4,
        event_from_hour=12.0,
        event_hours=9.0,
        longest_event_h=9.0,
        opt_out=0.0,
    )
    fleet = FleetSpec(homes=96, seed=1, battery_share=0.0, solar_share=0.0, hvac_share=1.0)
    spec = replace(small_spec, fleet=fleet, people=people)
    overrode = {}
    for share in (0.0, -1.0):
        env = started(spec, rows=4, dispatch="cohort_power", at=143)
        action = np.full((4, len(env.action_names)), share, np.float32)
        counts = 0.0
        for _ in range(110):
            env.step(action)
            counts += float(env.last[1].overrode.sum())
        overrode[share] = counts
    assert overrode[0.0] > 0
    assert overrode[-1.0] > 1.7 * overrode[0.0]


def test_an_owner_who_overrode_is_left_alone_until_the_event_is_over(usual_spec):
    env = started(usual_spec, rows=6)
    left_alone = 0
    for tick in range(60):
        before = env.moment.residents.state
        env.step(acting(env, tick))
        now = env.moment.residents.state
        out = before.overridden & before.called & now.called
        assert not bool((env.moment.may & out).any())
        left_alone += int(out.sum())
    assert left_alone > 0
    # After the event whoever is in the programme and hears may be commanded again.
    ended = ~now.signal & now.enrolled & env.moment.reached
    quiet = env.fleet.people.programme.quiet_from_h > 0
    assert bool(env.moment.may[ended & ~quiet].all())
    assert not bool(env.moment.may[~now.enrolled].any())


def test_quiet_hours_and_spent_calls_leave_a_home_alone(suburb_spec):
    people = replace(WILLING, quiet_share=1.0, events_a_day=0.0)
    env = started(replace(suburb_spec, people=people), at=200)
    for tick in range(80):
        state, may = env.moment.residents.state, env.moment.may
        hour = float(env.tables.people.calendar.hour[env.tick[0]])
        if 17.0 <= hour < 20.0:
            assert bool(state.signal.all())
            assert not bool(may.any())
        elif hour >= 23.0:
            assert not bool(may.any())
        elif 20.0 <= hour < 21.0:
            assert bool(may.all())
        env.step(acting(env, tick))
    assert float(env.last[1].called_homes.sum()) == 0.0


def test_a_state_with_owners_is_saved_and_goes_on(usual_spec):
    env = started(usual_spec)
    for tick in range(14):
        env.step(acting(env, tick))
    kept = env.get_state()
    ends = []
    for _ in range(2):
        for tick in range(14, 40):
            env.step(acting(env, tick))
        ends.append(leaves(env.state))
        env.set_state(kept)
    for one, other in zip(*ends, strict=True):
        assert torch.equal(one, other)


def test_rows_with_homes_of_their_own_have_their_own_owners(usual_spec):
    env = FleetVectorEnv(replace(usual_spec, fleet_mix=FleetMix(homes=6)), 3)
    env.reset(seed=0)
    assert torch.equal(env.state.residents.home, env.fleet.home_id)
    for tick in range(4):
        env.step(acting(env, tick))
    assert env.fleet.people.enrolled.shape == env.fleet.link.shape == (3, 6)


def test_nothing_is_computed_for_parts_that_are_absent(suburb_spec):
    env = started(suburb_spec)
    env.step(acting(env, 0))
    fleet, moment = env.fleet, env.moment
    assert (fleet.people, fleet.link, fleet.feeder, env.state.residents) == (None,) * 4
    assert (moment.out, moment.reached, moment.may, moment.residents) == (None,) * 4
    assert (env.tables.out, env.tables.reached, env.tables.people) == (None,) * 3
