"""SQL as HTML: every character is there once, escaped."""

from __future__ import annotations

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from data_bridge.core import sql_html
from data_bridge.core.telemetry.shown_sql import readable

_PARTS = st.sampled_from(
    [
        "SELECT ",
        "<b>",
        "'<i>&'",
        "$1",
        '"a<b"',
        " FROM ",
        "-- <c>\n",
        "/* </pre> */",
        "1.5",
        " WHERE ",
        "&lt;",
        "$x$<$x$",
        "'open",
    ]
)


def test_a_statement() -> None:
    assert sql_html("SELECT '<' FROM t") == (
        '<pre><span style="font-weight:600">SELECT</span> <span style="color:#2e7d32">&#x27;&lt;&#x27;</span>\n'
        '<span style="font-weight:600">FROM</span> t</pre>'
    )


def test_parameters_follow_and_secrets_do_not() -> None:
    class Secret:
        def get_secret_value(self) -> str:
            return "hunter2"

    found = sql_html("SELECT $1, $2", ("<b>", Secret()))
    assert "$1=&#x27;&lt;b&gt;&#x27;" in found
    assert "hunter2" not in found and "**********" in found


@given(st.lists(_PARTS, max_size=12).map("".join) | st.text(max_size=40).filter(lambda s: "\x00" not in s))
def test_the_text_without_its_elements_is_what_terminals_show(sql: str) -> None:
    found = sql_html(sql)
    inner = found.removeprefix("<pre>").removesuffix("</pre>")
    without = re.sub(r'<span style="[^"]*">|</span>', "", inner)
    assert "<" not in without and ">" not in without
    assert unescape(without) == readable(sql, colours=False)
