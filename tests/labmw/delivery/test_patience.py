"""Back-off: longer each time, never beyond its bounds, whatever chance says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.delivery.patience import Patience


def test_each_failure_waits_twice_as_long_up_to_the_cap() -> None:
    patience = Patience(2.0, 2.0, 300.0, 0.2, chance=lambda: 0.5)
    assert [patience.delay(failures) for failures in (0, 1, 2, 3, 8, 9, 50)] == [2, 2, 4, 8, 256, 300, 300]


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 8.0), (0.5, 10.0), (1.0, 12.0)])
def test_jitter_moves_it_by_its_share_at_most(chance: float, delay: float) -> None:
    assert Patience(10.0, 2.0, 300.0, 0.2, chance=lambda: chance).delay(1) == pytest.approx(delay)


@given(
    base=st.floats(0.01, 3600),
    factor=st.floats(1, 100),
    cap=st.floats(0.01, 86_400),
    jitter=st.floats(0, 0.99),
    chance=st.floats(0, 1),
    failures=st.integers(0, 10**6),
)
def test_the_wait_is_always_a_time_within_bounds(
    base: float, factor: float, cap: float, jitter: float, chance: float, failures: int
) -> None:
    delay = Patience(base, factor, cap, jitter, chance=lambda: chance).delay(failures)
    assert 0 < delay <= cap * (1 + jitter) * 1.0001
