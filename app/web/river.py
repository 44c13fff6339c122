"""The river of leads: ribbons as wide as their number of leads, and one thread that is followed to the end.

Geometry only; components/river.html draws it. ``flow`` is the hero (lying on desktops, standing on phones),
``funnel`` the same shape for reports, ``streams`` the background without words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

SOURCES = [("官网表单", 412), ("微信", 286), ("Excel 导入", 260), ("线下活动", 138), ("微博", 94)]
STAGES = [("新线索", 1190), ("联系中", 742), ("意向明确", 318), ("已转化", 96)]


@dataclass(frozen=True)
class Band:
    """A ribbon; ``tone`` is its stage (1–4), 0 for leads that leave the river, ``solid`` without a gradient."""

    path: str
    tone: int
    solid: bool = False
    opacity: float | None = None


@dataclass(frozen=True)
class Label:
    name: str
    count: int
    x: float
    y: float


@dataclass(frozen=True)
class Node(Label):
    width: float = 2
    height: float = 2


@dataclass
class Flow:
    lying: bool
    width: int
    height: int
    bands: list[Band] = field(default_factory=list)
    sources: list[Label] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    thread: str = ""
    knots: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Segment:
    path: str
    count: int
    rate: float | None  # percent of the stage before


def _n(number: float) -> str:
    return f"{round(number, 1):g}"


@dataclass(frozen=True)
class _Bed:
    """Where the river runs: ``along`` goes with the water, ``across`` from bank to bank."""

    lying: bool
    length: int
    breadth: int
    fullest: int  # the width of the first stage
    stations: tuple[int, ...]  # along: the springs, then each stage
    banks: tuple[int, ...]  # across: where each stage begins
    highest: float  # across: where the first spring begins
    gap: int  # between two springs
    drop: int  # by how much the mouth lies lower than the last stage
    fall: tuple[int, int]  # of what is lost: so far along, and so far beyond the breadth

    def wide(self, count: int) -> float:
        return count * (self.fullest / STAGES[0][1])

    def at(self, along: float, across: float) -> tuple[float, float]:
        return (along, across) if self.lying else (across, along)

    def point(self, along: float, across: float) -> str:
        return " ".join(map(_n, self.at(along, across)))

    def ribbon(self, a: float, a0: float, a1: float, b: float, b0: float, b1: float) -> str:
        """From ``a0``–``a1`` at ``a`` to ``b0``–``b1`` at ``b``."""
        mid = (a + b) / 2
        out = f"M{self.point(a, a0)}C{self.point(mid, a0)} {self.point(mid, b0)} {self.point(b, b0)}"
        return f"{out}L{self.point(b, b1)}C{self.point(mid, b1)} {self.point(mid, a1)} {self.point(a, a1)}Z"


_LYING = _Bed(True, 1216, 424, 292, (0, 318, 566, 814, 1062), (34, 44, 66, 92), 6.0, 13, 6, (236, 30))
_STANDING = _Bed(False, 640, 340, 300, (0, 170, 300, 424, 548), (0, 8, 20, 34), 0.0, 6, 0, (118, 60))


@dataclass(frozen=True)
class _Spring:
    name: str
    count: int
    across: float  # where it begins at the edge
    joined: float  # where it begins at the first stage
    wide: float
    opacity: float


@cache
def flow(lying: bool = True) -> Flow:
    """The whole river."""
    bed = _LYING if lying else _STANDING
    springs, knots = _springs(bed), _knots(bed)
    return Flow(
        lying,
        *((bed.length, bed.breadth) if lying else (bed.breadth, bed.length)),
        bands=[*_spring_bands(bed, springs), *_stage_bands(bed), *_mouth_bands(bed)],
        sources=[_source(bed, spring) for spring in springs],
        nodes=[_node(bed, i) for i in range(len(STAGES))],
        thread=_thread(bed, knots),
        knots=[_rounded(bed.at(*knot)) for knot in knots],
    )


def _springs(bed: _Bed) -> list[_Spring]:
    found, across, joined = [], bed.highest, float(bed.banks[0])
    for i, (name, count) in enumerate(SOURCES):
        wide = bed.wide(count)
        found.append(_Spring(name, count, across, joined, wide, round(0.95 - i * 0.12, 2)))
        across += wide + bed.gap
        joined += wide
    return found


def _spring_bands(bed: _Bed, springs: list[_Spring]) -> Iterator[Band]:
    """The sources, from beyond the left edge to the first stage."""
    for spring in springs:
        top, bottom = spring.across, spring.across + spring.wide
        if bed.lying:
            yield Band(f"M-800 {_n(top)}H0V{_n(bottom)}H-800Z", 1, solid=True, opacity=spring.opacity)
        path = bed.ribbon(0, top, bottom, bed.stations[1], spring.joined, spring.joined + spring.wide)
        yield Band(path, 1, solid=True, opacity=spring.opacity)


def _source(bed: _Bed, spring: _Spring) -> Label:
    x, y = (14, spring.across + spring.wide / 2) if bed.lying else (spring.across, -8)
    return Label(spring.name, spring.count, x, y)


def _stage_bands(bed: _Bed) -> Iterator[Band]:
    """Of each stage but the last: what goes on to the next one, and what falls out of the river below it."""
    far, beyond = bed.fall
    below = bed.breadth + beyond
    for i, ((_, count), (_, next_count)) in enumerate(pairwise(STAGES)):
        at, bank, onward = bed.stations[i + 1], bed.banks[i], bed.wide(next_count)
        lost, after = bed.wide(count) - onward, bed.banks[i + 1]
        yield Band(bed.ribbon(at, bank, bank + onward, bed.stations[i + 2], after, after + onward), i + 2)
        ends = (below - lost * 0.3, below + lost * 0.4)
        yield Band(bed.ribbon(at, bank + onward, bank + bed.wide(count), at + far, *ends), 0)


def _mouth_bands(bed: _Bed) -> Iterator[Band]:
    """The last stage runs out, beyond the right edge when the river lies."""
    at, bank, wide = bed.stations[-1], bed.banks[-1], bed.wide(STAGES[-1][1])
    top, bottom = bank + bed.drop, bank + wide + bed.drop
    yield Band(bed.ribbon(at, bank, bank + wide, bed.length, top, bottom), 4, solid=True)
    if bed.lying:
        edge = f"M{bed.length - 0.5:g} {_n(top)}H{bed.length + 800}V{_n(bottom)}H{bed.length - 0.5:g}Z"
        yield Band(edge, 4, solid=True)


def _node(bed: _Bed, i: int) -> Node:
    name, count = STAGES[i]
    wide = bed.wide(count)
    x, y = bed.at(bed.stations[i + 1], bed.banks[i])
    return Node(name, count, x, y, *((2, wide) if bed.lying else (wide, 2)))


def _knots(bed: _Bed) -> list[tuple[float, float]]:
    """Where the one lead that is followed passes, along and across: from the first source to the payment."""
    source = bed.wide(SOURCES[0][1]) * 0.42
    shares = (0.2, 0.3, 0.5)  # of each later stage's width
    passed = [
        bank + bed.wide(count) * share
        for bank, (_, count), share in zip(bed.banks[1:], STAGES[1:], shares, strict=True)
    ]
    across = [bed.highest + source, bed.banks[0] + source, *passed, passed[-1] + bed.drop]
    return list(zip([*bed.stations, bed.length], across, strict=True))


def _thread(bed: _Bed, knots: list[tuple[float, float]]) -> str:
    path = f"M{bed.point(*knots[0])}"
    for (a, va), (b, vb) in pairwise(knots):
        mid = (a + b) / 2
        path += f"C{bed.point(mid, va)} {bed.point(mid, vb)} {bed.point(b, vb)}"
    return f"M-800 {_n(knots[0][1])}L{path[1:]}H{bed.length + 800}" if bed.lying else path


def _rounded(point: tuple[float, float]) -> tuple[float, float]:
    return round(point[0], 1), round(point[1], 1)


def funnel(counts: list[int], width: int = 400, height: int = 150) -> list[Segment]:
    """The stages of a report as one narrowing shape in a box of ``width`` by ``height``."""
    most, step = max(counts[0], 1), width / len(counts)
    segments = []
    for i, count in enumerate(counts):
        tall = max(4.0, count / most * height)
        after = max(4.0, counts[i + 1] / most * height) if i + 1 < len(counts) else tall
        x0, x1, x2 = i * step, i * step + step * 0.52, (i + 1) * step
        a, b, mid = (height - tall) / 2, (height - after) / 2, (x1 + x2) / 2
        path = (
            f"M{_n(x0)} {_n(a)}H{_n(x1)}C{_n(mid)} {_n(a)} {_n(mid)} {_n(b)} {_n(x2)} {_n(b)}V{_n(height - b)}"
            f"C{_n(mid)} {_n(height - b)} {_n(mid)} {_n(height - a)} {_n(x1)} {_n(height - a)}H{_n(x0)}Z"
        )
        before = counts[i - 1] if i else 0
        segments.append(Segment(path, count, round(count / before * 100, 1) if before else None))
    return segments


@cache
def streams(width: int = 1440, height: int = 320) -> Flow:
    """Five springs that become one, without words or corners: a background."""
    scale, start, join = 0.3, -20, width * 0.74
    mid, across, joined = join * 0.5, 0.0, height * 0.3
    river = Flow(True, width, height)
    for i, wide in enumerate([84, 60, 50, 34, 22]):
        thin = wide * scale
        path = (
            f"M{start} {_n(across)}C{_n(mid)} {_n(across)} {_n(mid)} {_n(joined)} {_n(join)} {_n(joined)}"
            f"L{width + 20} {_n(joined - 10)}V{_n(joined + thin - 10)}L{_n(join)} {_n(joined + thin)}"
            f"C{_n(mid)} {_n(joined + thin)} {_n(mid)} {_n(across + wide)} {start} {_n(across + wide)}Z"
        )
        river.bands.append(Band(path, 1, opacity=round(0.95 - i * 0.14, 2)))
        across += wide + 16
        joined += thin
    a, b = 84 * 0.45, height * 0.3 + 84 * scale * 0.45
    river.thread = f"M{start} {_n(a)}C{_n(mid)} {_n(a)} {_n(mid)} {_n(b)} {_n(join)} {_n(b)}L{width + 20} {_n(b - 10)}"
    return river
