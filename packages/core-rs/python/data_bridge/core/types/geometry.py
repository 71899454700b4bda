"""Values of the geometric types; tuples, so that they compare and unpack like any other.

>>> from data_bridge.core.types.geometry import Box, Point
>>> box = Box(high=Point(2.0, 3.0), low=Point(0.0, 1.0))
>>> box.high.x
2.0
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Box", "Circle", "Line", "Path", "Point", "Polygon", "Segment"]


class Point(NamedTuple):
    """`point`"""

    x: float
    y: float


class Line(NamedTuple):
    """`line`: all points for which `a·x + b·y + c` is 0."""

    a: float
    b: float
    c: float


class Segment(NamedTuple):
    """`lseg`: the line between two points."""

    start: Point
    end: Point


class Box(NamedTuple):
    """`box`: its upper right and its lower left corner. The server puts other corners in this order."""

    high: Point
    low: Point


class Path(NamedTuple):
    """`path`: points joined by lines, back to the first one when it is closed."""

    points: tuple[Point, ...]
    closed: bool = False


class Polygon(NamedTuple):
    """`polygon`: the area that points enclose."""

    points: tuple[Point, ...]


class Circle(NamedTuple):
    """`circle`"""

    center: Point
    radius: float
