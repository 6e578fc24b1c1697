"""Settings of the whole test suite."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

# One thread: the tensors of the tests are tiny, and idle OpenMP threads would spin on shared machines.
os.environ.setdefault("OMP_NUM_THREADS", "1")

#: With REFUSE_SKIPS in the environment (as in .ci/run) nothing may be left out for want of a compiler or a
#: package; a machine may lack a GPU.
ALLOWED_SKIPS = ("no CUDA device",)


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Let a skipped test or module fail, with the reason for which it was skipped."""
    if os.environ.get("REFUSE_SKIPS") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason for allowed in ALLOWED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"{reason}: here every test has to run"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip(report)
    return report
