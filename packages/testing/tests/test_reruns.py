"""A test that is run again is judged by itself, and a test has one database."""

from __future__ import annotations

import pytest

# What pytest-rerunfailures does: the same item, its fixtures set up again, until it passes.
RERUNS = """
    import pytest
    from _pytest.runner import runtestprotocol

    def pytest_runtest_protocol(item, nextitem):
        for attempt in range(3):
            item._initrequest()
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            if all(report.passed for report in reports):
                break
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        return True

    @pytest.fixture(scope="session")
    def db_template():
        return lambda: "CREATE TABLE t (i int)"
"""
FAILS_TWICE = """
    import asyncio
    from data_bridge import core

    RUNS, KEPT = [], []

    async def test_it({fixture}):
        RUNS.append(1)
        await core.execute("INSERT INTO t VALUES (1)")
        if len(RUNS) == 1:
            KEPT.append({fixture}.transaction())
            await KEPT[0].__aenter__()  # left open: the judge finds it
        assert len(RUNS) > 2
        assert await core.fetch_val("SELECT count(*) FROM t") == 1
"""


@pytest.mark.parametrize("fixture", ["db", "committed", "isolated_db"])
def test_a_rerun_is_not_accused_of_what_the_run_before_has_left(pytester: pytest.Pytester, fixture: str) -> None:
    pytester.makeconftest(RERUNS)
    pytester.makepyfile(FAILS_TWICE.format(fixture=fixture))
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("first", "second"), [("db", "committed"), ("db", "isolated_db"), ("committed", "isolated_db")]
)
def test_two_databases_in_one_test_are_an_error_that_names_both(
    pytester: pytest.Pytester, first: str, second: str
) -> None:
    pytester.makeconftest(RERUNS)
    pytester.makepyfile(f"def test_it({first}, {second}): ...\n\ndef test_after({second}): ...")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines([f"*test_it uses the fixtures `{first}` and `{second}`, which are two databases*"])
