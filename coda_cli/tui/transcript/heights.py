"""Heights of things that stand in a column, and where each begins."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable


class Heights:
    """A list of heights with its prefix sums, which are only summed up to where somebody asks.

    A change at the end, as while an answer streams, costs the same whatever stands before it.
    """

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self._heights = list(heights)
        self._starts = [0]

    def __len__(self) -> int:
        return len(self._heights)

    def __getitem__(self, at: int) -> int:
        return self._heights[at]

    def set(self, at: int, height: int) -> None:
        """Change one height."""
        if self._heights[at] != height:
            self._heights[at] = height
            del self._starts[at + 1 :]

    def replace(self, start: int, end: int, heights: Iterable[int]) -> None:
        """Put other things in the place of those from *start* to before *end*."""
        self._heights[start:end] = heights
        del self._starts[start + 1 :]

    def start(self, at: int) -> int:
        """Where thing number *at* begins; for the length of the list, the sum of all."""
        while len(self._starts) <= at:
            self._starts.append(self._starts[-1] + self._heights[len(self._starts) - 1])
        return self._starts[at]

    @property
    def total(self) -> int:
        """The sum of all heights."""
        return self.start(len(self._heights))

    def find(self, y: int) -> int:
        """The last thing that begins at or before *y* and is not empty; the last one for a *y* past the end."""
        if y >= self.total:
            y = self.total - 1
        at = bisect_right(self._starts, y) - 1
        return min(max(at, 0), max(len(self._heights) - 1, 0))
