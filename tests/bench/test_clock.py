"""Measurements alternate, and ratios are of medians."""

from __future__ import annotations

import pytest

from bec_md.bench.clock import Task, Timing, interleave


def test_tasks_take_turns_after_a_round_that_is_not_counted() -> None:
    calls: list[str] = []
    tasks = [Task(name, lambda name=name: calls.append(name), 2.0) for name in "AB"]  # type: ignore[misc]
    timings = interleave(tasks, rounds=3)
    assert "".join(calls) == "AB" + "ABABAB"
    assert all(len(timings[name].cpu_s) == 3 for name in "AB")


def test_a_spent_budget_leaves_three_rounds() -> None:
    calls: list[int] = []
    timings = interleave([Task("A", lambda: calls.append(1), 1.0)], rounds=50, budget_s=0.0)
    assert len(calls) == 1 + 3
    assert len(timings["A"].wall_s) == 3


def test_medians_are_per_unit_of_work() -> None:
    timing = Timing(cpu_s=(1e-3, 9e-3, 2e-3), wall_s=(3e-3, 3e-3, 30e-3), work=100.0)
    assert timing.cpu_us == pytest.approx(20.0)
    assert timing.wall_us == pytest.approx(30.0)
    assert timing.per_second == pytest.approx(5e4)
