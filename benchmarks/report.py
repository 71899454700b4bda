"""The figures of a run as Markdown."""

from __future__ import annotations

from typing import Any


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """A table for each event loop; a peer that was measured has a column."""
    lines: list[str] = []
    for loop, rows in results.items():
        peers = list(rows[0]["peers"]) if rows else []
        head = ["", "work", "data-bridge", "worst round", "must", *peers, "to its pool", "to its pool without reset", "client CPU µs (reference)", "p99 ms"]  # fmt: skip
        lines += [f"### {loop}", "", f"| {' | '.join(head)} |", "|---|---|" + "---:|" * (len(head) - 2)]
        for r in rows:
            cells = [
                r["scenario"], r["work"], f"**{r['ratio']:.2f}**", f"{r['worst']:.2f}", str(r["must"]),
                *(_of_peer(r["peers"][p]) for p in peers),
                f"{r['ratio_to_pool']:.2f}", f"{r['ratio_to_pool_without_reset']:.2f}", f"{r['cpu']:.0f} ({r['cpu_reference']:.0f})", f"{r['p99_ms']:.2f}",
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _of_peer(figures: dict[str, float] | None) -> str:
    return "–" if figures is None else f"{figures['ratio']:.2f}"
