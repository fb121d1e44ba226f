"""Counts in buckets whose borders grow by 5 %: percentiles of any number of values, 2.5 % wide of the mark at most.

A value x > 0 falls into the bucket round(log x / log 1.05), whose middle is 1.05 to that power. A histogram is one
integer, 32 bits a bucket: to add two of them, and so a month's days, is one addition.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

_STEP: Final = math.log(1.05)
_LEAST: Final = 1e-4
_MOST: Final = 1e7
_FIRST: Final = round(math.log(_LEAST) / _STEP)
_BYTES: Final = 4


def bucket(value: float) -> int:
    """The bucket of *value* (taken for one between 0.0001 and 10 million), from 0 on."""
    return round(math.log(min(max(value, _LEAST), _MOST)) / _STEP) - _FIRST


def packed(counts: Mapping[int, int]) -> int:
    """The histogram of these counts by bucket."""
    return sum(count << (8 * _BYTES * at) for at, count in counts.items())


def percentiles(histogram: int, wanted: Iterable[float]) -> list[float] | None:
    """The values below which these shares (0 to 1, rising) of all values lie; None where there are no values."""
    data = histogram.to_bytes(-(-histogram.bit_length() // 32) * _BYTES, "little")
    counts = memoryview(data).cast("I").tolist()
    whole = sum(counts)
    if not whole:
        return None
    out, seen, at = [], 0, -1
    for share in wanted:
        while seen < max(1.0, share * whole):
            at += 1
            seen += counts[at]
        out.append(math.exp((at + _FIRST) * _STEP))
    return out


def to_bytes(histogram: int) -> bytes:
    """For a file: how many empty buckets come first (2 bytes), then the counts; b"" for nothing."""
    if not histogram:
        return b""
    empty = ((histogram & -histogram).bit_length() - 1) // (8 * _BYTES)
    rest = histogram >> (8 * _BYTES * empty)
    return empty.to_bytes(2, "little") + rest.to_bytes(-(-rest.bit_length() // 8), "little")


def from_bytes(data: bytes) -> int:
    """The inverse of `to_bytes`."""
    return int.from_bytes(data[2:], "little") << (8 * _BYTES * int.from_bytes(data[:2], "little"))
