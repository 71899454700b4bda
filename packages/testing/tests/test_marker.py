"""The marker `db`: what it does not know is an error that says so, of that test alone."""

from __future__ import annotations

import pytest

WRONG = {
    "isolaton='SERIALIZABLE'": "@pytest.mark.db has no argument 'isolaton'; did you mean isolation=?",
    "colour='red'": "@pytest.mark.db has no argument 'colour'; it takes isolation, reset_sequences, template, clock",
    "'SERIALIZABLE'": "@pytest.mark.db takes its arguments by name: isolation, reset_sequences, template, clock",
    "isolation='SERIALISABLE'": "@pytest.mark.db(isolation=…): ",
    "clock='dead'": "@pytest.mark.db(clock='dead') is not clock='live'",
}


@pytest.mark.parametrize("fixture", ["db", "committed", "isolated_db"])
def test_what_is_wrong_is_named(pytester: pytest.Pytester, fixture: str) -> None:
    cases = "\n".join(
        f"@pytest.mark.db({argument})\ndef test_{n}({fixture}): ...\n" for n, argument in enumerate(WRONG)
    )
    pytester.makepyfile(f"import pytest\n{cases}\ndef test_right({fixture}): ...")
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:asyncio")
    result.assert_outcomes(passed=1, errors=len(WRONG))
    text = result.stdout.str()
    for n, message in enumerate(WRONG.values()):
        assert f"::test_{n}: {message}" in text


def test_the_nearest_marker_counts(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from data_bridge.core import fetch_val

        pytestmark = pytest.mark.db(isolation="SERIALIZABLE", template="empty")

        async def test_of_the_module(db):
            assert await fetch_val("SHOW transaction_isolation") == "serializable"

        @pytest.mark.db(isolation="REPEATABLE READ")
        async def test_its_own(db):
            assert await fetch_val("SHOW transaction_isolation") == "repeatable read"
        """
    )
    pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:asyncio").assert_outcomes(passed=2)


TRIO = {
    "parametrized": '@pytest.mark.parametrize("anyio_backend", ["trio"])\ndef test_it(db, anyio_backend): ...',
    "with options": '@pytest.mark.parametrize("anyio_backend", [("trio", {})])\ndef test_it(db, anyio_backend): ...',
    "a fixture": '@pytest.fixture\ndef anyio_backend(): return "trio"\ndef test_it(db, anyio_backend): ...',
    "a marker": "@pytest.mark.trio\ndef test_it(db): ...",
}


@pytest.mark.parametrize("how", TRIO)
def test_trio_is_refused_by_name(pytester: pytest.Pytester, how: str) -> None:
    pytester.makepyfile(f"import pytest\n{TRIO[how]}")
    arguments = ("-p", "no:randomly", "-p", "no:asyncio", "-p", "no:anyio")
    result = pytester.runpytest_subprocess(*arguments, "-W", "ignore::pytest.PytestUnknownMarkWarning")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*runs on trio; data-bridge runs on asyncio only*"])
