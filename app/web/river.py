"""The river of leads: ribbons as wide as their number of leads, and one thread that is followed to the end.

Geometry only; components/river.html draws it. ``flow`` is the hero (lying on desktops, standing on phones),
``funnel`` the same shape for reports, ``streams`` the background without words.
"""

from __future__ import annotations

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


@cache
def flow(lying: bool = True) -> Flow:
    """The whole river. ``along`` runs with the water, ``across`` from bank to bank."""
    length, breadth, gap = (1216, 424, 13) if lying else (640, 340, 6)
    scale = (292 if lying else 300) / STAGES[0][1]
    stations = [0, 318, 566, 814, 1062] if lying else [0, 170, 300, 424, 548]
    banks = [34, 44, 66, 92] if lying else [0, 8, 20, 34]
    river = Flow(lying, *((length, breadth) if lying else (breadth, length)))

    def point(along: float, across: float) -> str:
        return f"{_n(along)} {_n(across)}" if lying else f"{_n(across)} {_n(along)}"

    def ribbon(a: float, a0: float, a1: float, b: float, b0: float, b1: float) -> str:
        mid = (a + b) / 2
        out = f"M{point(a, a0)}C{point(mid, a0)} {point(mid, b0)} {point(b, b0)}"
        return f"{out}L{point(b, b1)}C{point(mid, b1)} {point(mid, a1)} {point(a, a1)}Z"

    def springs() -> float:
        """The sources, from beyond the left edge to the first station; returns where the first one is threaded."""
        across, joined = (6.0 if lying else 0.0), float(banks[0])
        threaded = across + SOURCES[0][1] * scale * 0.42
        for i, (name, count) in enumerate(SOURCES):
            wide, opacity = count * scale, round(0.95 - i * 0.12, 2)
            if lying:
                edge = f"M-800 {_n(across)}H0V{_n(across + wide)}H-800Z"
                river.bands.append(Band(edge, 1, solid=True, opacity=opacity))
            path = ribbon(0, across, across + wide, stations[1], joined, joined + wide)
            river.bands.append(Band(path, 1, solid=True, opacity=opacity))
            river.sources.append(Label(name, count, 14 if lying else across, across + wide / 2 if lying else -8))
            across += wide + gap
            joined += wide
        return threaded

    def reaches() -> None:
        """Each stage: what goes on to the next one, and what falls out of the river below it."""
        for i, (name, count) in enumerate(STAGES):
            wide, bank, at = count * scale, banks[i], stations[i + 1]
            x, y = (at, bank) if lying else (bank, at)
            river.nodes.append(Node(name, count, x, y, *((2, wide) if lying else (wide, 2))))
            if i == len(STAGES) - 1:
                mouth(bank, wide, at)
                continue
            onward, below = STAGES[i + 1][1] * scale, breadth + (30 if lying else 60)
            river.bands.append(
                Band(ribbon(at, bank, bank + onward, stations[i + 2], banks[i + 1], banks[i + 1] + onward), i + 2)
            )
            lost = wide - onward
            gone = ribbon(
                at, bank + onward, bank + wide, at + (236 if lying else 118), below - lost * 0.3, below + lost * 0.4
            )
            river.bands.append(Band(gone, 0))

    def mouth(bank: float, wide: float, at: float) -> None:
        drop = 6 if lying else 0
        river.bands.append(Band(ribbon(at, bank, bank + wide, length, bank + drop, bank + wide + drop), 4, solid=True))
        if lying:
            edge = f"M{length - 0.5:g} {_n(bank + drop)}H{length + 800}V{_n(bank + wide + drop)}H{length - 0.5:g}Z"
            river.bands.append(Band(edge, 4, solid=True))

    def spin(threaded: float) -> None:
        """The one lead that is followed from its source to the payment."""
        last = banks[3] + STAGES[3][1] * scale * 0.5
        across = [
            threaded,
            banks[0] + SOURCES[0][1] * scale * 0.42,
            banks[1] + STAGES[1][1] * scale * 0.2,
            banks[2] + STAGES[2][1] * scale * 0.3,
            last,
            last + (6 if lying else 0),
        ]
        knots = list(zip([*stations, length], across, strict=True))
        path = f"M{point(*knots[0])}"
        for (a, va), (b, vb) in pairwise(knots):
            mid = (a + b) / 2
            path += f"C{point(mid, va)} {point(mid, vb)} {point(b, vb)}"
        river.thread = f"M-800 {_n(across[0])}L{path[1:]}H{length + 800}" if lying else path
        river.knots = [(round(a, 1), round(v, 1)) if lying else (round(v, 1), round(a, 1)) for a, v in knots]

    threaded = springs()
    reaches()
    spin(threaded)
    return river


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
