"""Colours and progress only where somebody watches."""

import io

import pytest

from data_bridge.migrate.command.terminal import Terminal


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_colours_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Terminal(Screen()).paint("x", "red") == "\x1b[31mx\x1b[0m"
    assert Terminal(io.StringIO()).paint("x", "red") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Terminal(Screen()).paint("x", "red") == "x"


def test_a_bar_shows_how_far_a_backfill_is() -> None:
    out, err = io.StringIO(), Screen()
    terminal = Terminal(out, err)
    terminal.watch("step", {"version": "1", "step": 2, "sql": "ALTER  TABLE t\n ADD a int", "lock": None})
    terminal.watch("backfill", {"version": "1", "table": "t", "rows": 500, "of": 1000})
    terminal.watch("backfill", {"version": "1", "table": "t", "rows": 510, "of": 1000})
    terminal.watch("retry", {"version": "1", "error": "lock timeout", "pause": 0.25})
    terminal.say("done")
    shown = err.getvalue()
    assert "1 step 2: ALTER TABLE t ADD a int" in shown
    assert "1 t " + "█" * 12 + " " * 12 + " 500 of about 1,000 rows" in shown
    assert "510" not in shown, "not more often than one can read"
    assert "waits for a lock, next try in 0.2 s" in shown
    assert shown.endswith("\r\x1b[2K"), "the line is removed before the result"
    assert out.getvalue() == "done\n"


def test_a_log_gets_lines_that_matter() -> None:
    err = io.StringIO()
    terminal = Terminal(io.StringIO(), err)
    terminal.watch("backfill", {"version": "1", "table": "t", "rows": 500, "of": 1000})
    terminal.watch("retry", {"version": "1", "error": "lock timeout\nmore", "pause": 0.25})
    assert err.getvalue() == "1 waits for a lock: lock timeout\n"
