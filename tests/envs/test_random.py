"""Counter-based draws: equal in every engine, and random enough."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vpp_envs.random import (
    Purpose,
    draw_bits,
    normal,
    normal_from_bits,
    normal_table,
    uniform,
    uniform_from_bits,
)

WORD = 1 << 64


def reference_bits(*words: int) -> int:
    """SplitMix64 finalisers in plain Python integers, as a signed 64-bit number."""
    bits = 0
    for word in words:
        bits = ((bits ^ (word % WORD)) + 0x9E3779B97F4A7C15) % WORD
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) % WORD
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) % WORD
        bits = bits ^ (bits >> 31)
    return bits - WORD if bits >= WORD // 2 else bits


def sample_words() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Four words of every size and sign, 81 combinations."""
    values = [0, 7, -(2**63) + 1]
    seed, episode, home, tick = torch.tensor(list(itertools.product(values, repeat=4))).T
    return seed, episode, home, tick


def reference_draws() -> list[int]:
    words = torch.stack(sample_words(), dim=1).tolist()
    return [reference_bits(*row, Purpose.CLOUD) for row in words]


def test_first_chained_word_is_the_first_output_of_splitmix64_seeded_zero():
    # Vigna's splitmix64.c, seed 0: 0xE220A8397B1DCDAF.
    assert reference_bits(0) % WORD == 0xE220A8397B1DCDAF


def test_eager_bits_equal_python_integers():
    assert draw_bits(*sample_words(), Purpose.CLOUD).tolist() == reference_draws()


def test_plain_integers_give_the_same_bits_as_tensors():
    assert draw_bits(7, 0, 12, 345, 2).item() == reference_bits(7, 0, 12, 345, 2)


def test_a_large_table_equals_its_rows_drawn_one_by_one():
    home, tick = torch.arange(70), torch.arange(2000).unsqueeze(-1)
    table = normal(3, 1, home, tick, Purpose.LOAD)
    assert table.shape == (2000, 70)
    rows = [normal(3, 1, home, row, Purpose.LOAD) for row in range(0, 2000, 97)]
    assert torch.equal(table[::97], torch.stack(rows))


def scripted_draw(
    seed: Tensor, episode: Tensor, home: Tensor, tick: Tensor, purpose: int, table: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    bits = draw_bits(seed, episode, home, tick, purpose)
    return bits, uniform_from_bits(bits), normal_from_bits(bits, table)


def assert_equals_eager(engine: Callable[..., tuple[Tensor, Tensor, Tensor]]) -> None:
    words = sample_words()
    bits, share, deviate = engine(*words, Purpose.CLOUD, normal_table(torch.device("cpu")))
    assert bits.tolist() == reference_draws()
    assert torch.equal(share, uniform(*words, Purpose.CLOUD))
    assert torch.equal(deviate, normal(*words, Purpose.CLOUD))


def test_scripted_draws_equal_eager_bitwise():
    assert_equals_eager(torch.jit.script(scripted_draw))


@pytest.mark.slow
def test_compiled_draws_equal_eager_bitwise():
    assert_equals_eager(torch.compile(scripted_draw))


@pytest.mark.cuda
def test_draws_on_a_gpu_equal_the_cpus_bitwise():
    words = sample_words()
    on_gpu = [word.to("cuda") for word in words]
    assert torch.equal(draw_bits(*on_gpu, Purpose.CLOUD).cpu(), draw_bits(*words, Purpose.CLOUD))
    assert torch.equal(normal(7, 0, *on_gpu[2:], 1).cpu(), normal(7, 0, *words[2:], 1))


def test_words_broadcast_and_each_row_equals_its_single_draw():
    seeds, ticks = torch.arange(3).reshape(3, 1, 1), torch.arange(5)
    homes = torch.arange(4).reshape(4, 1)
    batch = normal(seeds, 2, homes, ticks, Purpose.LOAD)
    assert batch.shape == (3, 4, 5)
    assert torch.equal(batch[1], normal(1, 2, homes, ticks, Purpose.LOAD))
    assert batch[2, 3, 4] == normal(2, 2, 3, 4, Purpose.LOAD)


def test_uniform_lies_in_the_half_open_unit_interval():
    extremes = uniform_from_bits(torch.tensor([0, -1]))
    assert extremes.tolist() == [0.0, 1.0 - 2.0**-53]


@pytest.mark.parametrize("moving", ["seed", "episode", "home", "tick"])
def test_uniform_fills_1024_bins_evenly_whichever_word_counts(moving: str):
    words: dict[str, Tensor | int] = {"seed": 1, "episode": 0, "home": 0, "tick": 0}
    words[moving] = torch.arange(1 << 18)
    draws = uniform(**words, purpose=Purpose.PRICE_FAST)
    counts = torch.histc(draws, bins=1024, min=0.0, max=1.0)
    chi_square = ((counts - 256.0) ** 2 / 256.0).sum().item()
    # 1,023 degrees of freedom: mean 1,023, standard deviation 45; four deviations either side.
    assert 840.0 < chi_square < 1205.0


def test_normal_has_the_moments_and_the_tail_of_a_normal():
    draws = normal(3, 0, 0, torch.arange(1 << 20), Purpose.PRICE_SLOW)
    assert draws.mean().item() == pytest.approx(0.0, abs=0.004)
    assert draws.square().mean().item() == pytest.approx(1.0, abs=0.006)
    assert draws.pow(3).mean().item() == pytest.approx(0.0, abs=0.016)
    assert draws.pow(4).mean().item() == pytest.approx(3.0, abs=0.04)
    assert (draws > 2.3263).double().mean().item() == pytest.approx(0.01, abs=0.0004)


def test_normal_table_is_odd_and_rising_and_ends_at_4_33():
    table = normal_table(torch.device("cpu"))
    assert torch.allclose(table, -table.flip(0), atol=1e-12)
    assert bool((table.diff() > 0).all())
    assert table[-1].item() == pytest.approx(4.3255, abs=1e-3)


@pytest.mark.parametrize(
    "step",
    [
        (1, 0, 0, 0, 0),
        (0, 1, 0, 0, 0),
        (0, 0, 1, 0, 0),
        (0, 0, 0, 1, 0),
        (0, 0, 0, 0, 1),
        (1, 0, 0, -1, 0),
    ],
)
def test_draws_one_counter_apart_are_uncorrelated(step: tuple[int, ...]):
    ticks = torch.arange(0, 1 << 19, 2)
    here = normal(10, 5, 20, ticks, Purpose.CLOUD)
    there = normal(
        10 + step[0], 5 + step[1], 20 + step[2], ticks + step[3], Purpose.CLOUD + step[4]
    )
    # Four standard errors of a correlation over 262,144 pairs.
    assert abs((here * there).mean().item()) < 4.0 / 512.0


def test_one_changed_input_bit_flips_half_of_the_output_bits():
    base = draw_bits(0, 0, 0, torch.arange(4096), 0)
    flipped = draw_bits(0, 0, 0, torch.arange(4096) ^ (1 << 40), 0)
    changed = torch.stack([((base ^ flipped) >> bit) & 1 for bit in range(64)]).double()
    assert changed.mean().item() == pytest.approx(0.5, abs=0.005)
    assert changed.mean(dim=1).sub(0.5).abs().max().item() < 0.04


def test_no_two_purposes_share_a_number():
    numbers = [value for name, value in vars(Purpose).items() if name.isupper()]
    assert len(numbers) == len(set(numbers))
