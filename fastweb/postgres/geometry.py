"""PostgreSQL's geometric values: tuples of coordinates with names, as asyncpg has them.

Source: https://www.postgresql.org/docs/current/datatype-geometric.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Box", "Circle", "Line", "LineSegment", "Path", "Point", "Polygon"]


class Point(NamedTuple):
    """A place in the plane."""

    x: float
    y: float


class Line(NamedTuple):
    """The line on which Ax + By + C = 0."""

    a: float
    b: float
    c: float


class LineSegment(NamedTuple):
    """What lies between two points."""

    p1: Point
    p2: Point

    @classmethod
    def of(cls, x1: float, y1: float, x2: float, y2: float) -> LineSegment:
        """The segment of these coordinates."""
        return cls(Point(x1, y1), Point(x2, y2))


class Box(NamedTuple):
    """A rectangle along the axes; PostgreSQL orders its corners."""

    high: Point
    low: Point

    @classmethod
    def of(cls, x1: float, y1: float, x2: float, y2: float) -> Box:
        """The box of these coordinates."""
        return cls(Point(x1, y1), Point(x2, y2))


class Circle(NamedTuple):
    """All that is not farther from a point than the radius."""

    center: Point
    radius: float

    @classmethod
    def of(cls, x: float, y: float, radius: float) -> Circle:
        """The circle around these coordinates."""
        return cls(Point(x, y), radius)


class Path(tuple[Point, ...]):
    """Points, one connected with the next, and if it is closed the last with the first.

    Arguments:
        points: each a Point or a pair of coordinates.
        is_closed: whether it is.
    """

    is_closed: bool

    def __new__(cls, *points: Any, is_closed: bool = False) -> Path:
        made = super().__new__(cls, tuple(Point(*map(float, point)) for point in points))
        made.is_closed = is_closed
        return made

    @property
    def points(self) -> tuple[Point, ...]:
        """Its points."""
        return tuple(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Path) and other.is_closed is not self.is_closed:
            return False
        return tuple.__eq__(self, other) if isinstance(other, tuple) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    def __getnewargs__(self) -> tuple[Point, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        points = ", ".join(map(repr, self))
        return f"Path({points}{', ' if points else ''}is_closed={self.is_closed})"


class Polygon(Path):
    """A closed path, and what is inside.

    Arguments:
        points: each a Point or a pair of coordinates.
    """

    def __new__(cls, *points: Any, is_closed: bool = True) -> Polygon:
        made = super().__new__(cls, *points, is_closed=True)
        assert isinstance(made, Polygon)
        return made

    def __repr__(self) -> str:
        return f"Polygon({', '.join(map(repr, self))})"
