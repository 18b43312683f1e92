"""Intervals of integers, and what comes out of arithmetic with them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

SMALL = 1 << 30  # integers below it, and from its negative on, fit a 32-bit board's word


@dataclass(frozen=True)
class Interval:
    """What a number can be."""

    low: int
    high: int

    def __or__(self, other: Interval) -> Interval:
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def __contains__(self, other: Interval) -> bool:
        return self.low <= other.low and other.high <= self.high

    @property
    def small(self) -> bool:
        return self.low >= -SMALL and self.high < SMALL


def applied(op: ast.operator, a: Interval, b: Interval) -> Interval | None:
    """What `a op b` can be; None if that is no integer, or unknown."""
    match op:
        case ast.Add():
            return Interval(a.low + b.low, a.high + b.high)
        case ast.Sub():
            return Interval(a.low - b.high, a.high - b.low)
        case ast.Mult():
            return _hull(x * y for x in (a.low, a.high) for y in (b.low, b.high))
        case ast.FloorDiv() if b.low > 0:
            return _hull(x // y for x in (a.low, a.high) for y in (b.low, b.high))
        case ast.Mod() if b.low > 0:
            return Interval(0, b.high - 1)
        case ast.LShift() if 0 <= b.low <= b.high < 64:
            return _hull(x << y for x in (a.low, a.high) for y in (b.low, b.high))
        case ast.RShift() if b.low >= 0:
            return _hull(x >> min(y, 64) for x in (a.low, a.high) for y in (b.low, b.high))
        case ast.BitAnd() if a.low >= 0 or b.low >= 0:
            return Interval(0, min(x.high for x in (a, b) if x.low >= 0))
        case ast.BitOr() | ast.BitXor() | ast.BitAnd():
            bits = max(abs(x).bit_length() for x in (a.low, a.high, b.low, b.high))
            return Interval(0 if min(a.low, b.low) >= 0 else -(1 << bits), (1 << bits) - 1)
    return None


def _hull(numbers: Iterable[int]) -> Interval:
    found = list(numbers)
    return Interval(min(found), max(found))
