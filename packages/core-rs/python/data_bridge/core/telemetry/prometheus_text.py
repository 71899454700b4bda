"""The text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/), version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

__all__ = ["Family", "render"]


class Family:
    """Samples of one name.

    >>> family = Family("requests_total", "counter", "Requests.")
    >>> family.sample({"path": "/"}, 3)
    >>> print(render([family]), end="")
    # HELP requests_total Requests.
    # TYPE requests_total counter
    requests_total{path="/"} 3
    """

    def __init__(self, name: str, kind: str, text: str) -> None:
        self._name = name
        self.lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]

    def sample(self, labels: Mapping[str, str], value: float, suffix: str = "") -> None:
        """Adds a value."""
        pairs = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        self.lines.append(f"{self._name}{suffix}{{{pairs}}} {value}")

    def histogram(
        self, labels: Mapping[str, str], bounds: Sequence[float], buckets: Sequence[int], total: float
    ) -> None:
        """Adds a histogram: a bucket for each bound, and one above the last."""
        counts = list(accumulate(buckets))
        for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
            self.sample({**labels, "le": bound}, count, "_bucket")
        self.sample(labels, total, "_sum")
        self.sample(labels, counts[-1], "_count")


def render(families: Iterable[Family]) -> str:
    """The families as one text."""
    return "".join(f"{line}\n" for family in families for line in family.lines)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
