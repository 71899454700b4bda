"""Draws the figures of a run as SVG: how many times faster than asyncpg with hand-written Pydantic code, and the targets.

    python benchmarks/plot.py [RESULTS.json] [FOLDER]

Nothing but the standard library is needed; the documentation shows what this wrote.
"""

from __future__ import annotations

import json
import sys
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WIDTH, LEFT, ROW, THIN, TOP, BOTTOM = 860, 330, 30, 10, 64, 44
PEERS = {"SQLAlchemy": "#9ca3af", "Tortoise": "#0d9488", "Oxyde": "#c2884a"}
BAR, MISSED, MARK, TEXT, GRID = "#5c6bc0", "#d9534f", "#e67e22", "#57606a", "#d1d5db"
DARK_TEXT, DARK_GRID = "#b6bec8", "#3d444d"


def svg(loop: str, rows: list[dict[str, Any]]) -> str:
    """One chart: a bar for each scenario, a tick for its target, a line where both are equally fast."""
    most = max(max(r["ratio"], r["must"]) for r in rows) * 1.08
    room = WIDTH - LEFT - 70
    peers = list(rows[0].get("peers", {}))
    step_y = ROW + THIN * len(peers)
    height = TOP + step_y * len(rows) + BOTTOM

    def x(value: float) -> float:
        return LEFT + room * value / most

    parts = [
        (
            f'<svg class="speed" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="13" '
            f'role="img" aria-label="Speed compared with asyncpg and Pydantic on {escape(loop)}">'
        ),
        # An image follows the colour scheme of the reader's browser, also on the page of a repository.
        (
            f"<style>.speed text{{fill:{TEXT}}}.speed .grid{{stroke:{GRID}}}.speed .one{{stroke:{TEXT}}}@media(prefers-color-scheme:dark)"
            f"{{.speed text{{fill:{DARK_TEXT}}}.speed .grid{{stroke:{DARK_GRID}}}.speed .one{{stroke:{DARK_TEXT}}}}}</style>"
        ),
        (
            f'<text x="16" y="26" font-size="16" font-weight="600">Operations per second, asyncpg + Pydantic = 1 '
            f"({escape(loop)})</text>"
        ),
        f'<rect x="16" y="38" width="12" height="12" fill="{BAR}"/><text x="34" y="49">data-bridge</text>',
        f'<rect x="130" y="37" width="3" height="14" fill="{MARK}"/><text x="140" y="49">the target it must reach</text>',
    ]
    for i, name in enumerate(peers):
        at = 330 + 120 * i
        parts += [
            f'<rect x="{at}" y="40" width="12" height="8" fill="{PEERS[name]}"/>',
            f'<text x="{at + 18}" y="49">{escape(name)}</text>',
        ]
    bottom = TOP + step_y * len(rows)
    for step in range(int(most) + 1):
        weight = 2 if step == 1 else 1
        kind = "one" if step == 1 else "grid"
        parts.append(
            f'<line x1="{x(step):.1f}" x2="{x(step):.1f}" y1="{TOP}" y2="{bottom}" class="{kind}" stroke-width="{weight}"/>'
        )
        parts.append(f'<text x="{x(step):.1f}" y="{bottom + 18}" text-anchor="middle">{step}×</text>')
    for i, r in enumerate(rows):
        y = TOP + step_y * i
        colour = BAR if r["ratio"] >= r["must"] else MISSED
        parts += [
            f'<text x="{LEFT - 10}" y="{y + 19}" text-anchor="end">{escape(r["work"])} · {r["scenario"]}</text>',
            f'<rect x="{LEFT}" y="{y + 5}" width="{x(r["ratio"]) - LEFT:.1f}" height="{ROW - 10}" rx="2" fill="{colour}"/>',
            f'<rect x="{x(r["must"]) - 1.5:.1f}" y="{y + 2}" width="3" height="{ROW - 4}" fill="{MARK}"/>',
            f'<text x="{x(max(r["ratio"], r["must"])) + 8:.1f}" y="{y + 19}">{r["ratio"]:.2f}×</text>',
        ]
        for j, name in enumerate(peers):
            figures, top = r["peers"][name], y + ROW - 2 + THIN * j
            if figures is None:
                parts.append(f'<text x="{LEFT + 4}" y="{top + 7}" font-size="9">–</text>')
                continue
            end = x(figures["ratio"])
            parts += [
                f'<rect x="{LEFT}" y="{top}" width="{end - LEFT:.1f}" height="{THIN - 3}" fill="{PEERS[name]}"/>',
                f'<text x="{end + 4:.1f}" y="{top + 6}" font-size="9">{figures["ratio"]:.2f}</text>',
            ]
    return "\n".join([*parts, "</svg>", ""])


def main(results: Path, folder: Path) -> None:
    """Writes one file for each event loop of the run."""
    for loop, rows in json.loads(results.read_text())["results"].items():
        path = folder / f"performance-{loop}.svg"
        path.write_text(svg(loop, rows))
        print(path)


if __name__ == "__main__":
    given = [Path(a) for a in sys.argv[1:]]
    main(
        given[0] if given else ROOT / "benchmarks" / "results" / "latest.json",
        given[1] if len(given) > 1 else ROOT / "docs" / "explanation",
    )
