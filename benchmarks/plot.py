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
BAR, MISSED, MARK, TEXT, GRID = "#4051b5", "#c0392b", "#e67e22", "#6b7280", "#d1d5db"


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
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="13" '
            f'role="img" aria-label="Speed compared with asyncpg and Pydantic on {escape(loop)}">'
        ),
        (
            f'<text x="16" y="26" font-size="16" font-weight="600" fill="{TEXT}">Operations per second, asyncpg + Pydantic = 1 '
            f"({escape(loop)})</text>"
        ),
        f'<rect x="16" y="38" width="12" height="12" fill="{BAR}"/><text x="34" y="49" fill="{TEXT}">data-bridge</text>',
        f'<rect x="130" y="37" width="3" height="14" fill="{MARK}"/><text x="140" y="49" fill="{TEXT}">the target it must reach</text>',
    ]
    for i, name in enumerate(peers):
        at = 330 + 120 * i
        parts += [
            f'<rect x="{at}" y="40" width="12" height="8" fill="{PEERS[name]}"/>',
            f'<text x="{at + 18}" y="49" fill="{TEXT}">{escape(name)}</text>',
        ]
    bottom = TOP + step_y * len(rows)
    for step in range(int(most) + 1):
        weight = 2 if step == 1 else 1
        colour = TEXT if step == 1 else GRID
        parts.append(
            f'<line x1="{x(step):.1f}" x2="{x(step):.1f}" y1="{TOP}" y2="{bottom}" stroke="{colour}" stroke-width="{weight}"/>'
        )
        parts.append(f'<text x="{x(step):.1f}" y="{bottom + 18}" text-anchor="middle" fill="{TEXT}">{step}×</text>')
    for i, r in enumerate(rows):
        y = TOP + step_y * i
        colour = BAR if r["ratio"] >= r["must"] else MISSED
        parts += [
            f'<text x="{LEFT - 10}" y="{y + 19}" text-anchor="end" fill="{TEXT}">{escape(r["work"])} · {r["scenario"]}</text>',
            f'<rect x="{LEFT}" y="{y + 5}" width="{x(r["ratio"]) - LEFT:.1f}" height="{ROW - 10}" rx="2" fill="{colour}"/>',
            f'<rect x="{x(r["must"]) - 1.5:.1f}" y="{y + 2}" width="3" height="{ROW - 4}" fill="{MARK}"/>',
            f'<text x="{x(max(r["ratio"], r["must"])) + 8:.1f}" y="{y + 19}" fill="{TEXT}">{r["ratio"]:.2f}×</text>',
        ]
        for j, name in enumerate(peers):
            figures, top = r["peers"][name], y + ROW - 2 + THIN * j
            if figures is None:
                parts.append(f'<text x="{LEFT + 4}" y="{top + 7}" font-size="9" fill="{TEXT}">–</text>')
                continue
            end = x(figures["ratio"])
            parts += [
                f'<rect x="{LEFT}" y="{top}" width="{end - LEFT:.1f}" height="{THIN - 3}" fill="{PEERS[name]}"/>',
                f'<text x="{end + 4:.1f}" y="{top + 6}" font-size="9" fill="{TEXT}">{figures["ratio"]:.2f}</text>',
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
