"""All stacks of a profile at a bounded number of instants, however long the log is."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

from pprofwatch.model import Frame, Stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pprofwatch.report.samples import Samples

#: At most so many instants are kept; when there are more, every other one goes.
MAX_INSTANTS = 400
#: An instant with more stacks keeps its largest, and the others as one.
MAX_STACKS = 4000
#: What stands for the stacks that were too small to keep apart.
OTHERS = Stack((Frame("(other stacks)", "", 0),))
_MOST = 2**63 - 1
_STACK_COST = 20


class Instant(NamedTuple):
    """The stacks at one time: their numbers in ``Instants.stacks``, and of each value type a column beside them."""

    time: float
    weight: int
    stacks: array[int]
    columns: tuple[array[int], ...]

    @property
    def totals(self) -> tuple[int, ...]:
        """The sum of all stacks, of each value type."""
        return tuple(map(sum, self.columns))


class Instants:
    """Instants in the order in which they were added; stacks that none of them has any more are forgotten.

    Attributes:
        stacks: Each stack once.
        kept: The instants.
    """

    def __init__(self) -> None:
        self.stacks: list[Stack] = []
        self.kept: list[Instant] = []
        self._held = 0
        self._numbers: dict[Stack, int] = {}

    def add(self, samples: Samples, weight: int = 0) -> None:
        """Add an instant; of two neighbours, the one with more weight is kept longer."""
        rows: Sequence[tuple[Stack, Sequence[int]]] = samples.rows
        if len(rows) > MAX_STACKS:
            rows = _largest(samples)
        numbers = array("I", [self._number(stack) for stack, _ in rows])
        columns = zip(*(values for _, values in rows), strict=True) if rows else [()] * len(samples.types)
        self.kept.append(Instant(samples.time, weight, numbers, tuple(map(_column, columns))))
        self._held += len(numbers)

    @property
    def cost(self) -> int:
        """What they take of memory, in units of about 30 bytes: an instant's stack is one, its frames are many."""
        return self._held + _STACK_COST * len(self.stacks)

    @property
    def number_of_others(self) -> int | None:
        """The number of ``OTHERS``, if there were any."""
        return self._numbers.get(OTHERS)

    def thin(self) -> None:
        """Drop about every other instant: of each two neighbours the lighter one, or the earlier; never the first."""
        rest = self.kept[1:]
        pairs = [rest[index : index + 2] for index in range(0, len(rest), 2)]
        kept = [*self.kept[:1], *(max(reversed(pair), key=lambda instant: instant.weight) for pair in pairs)]
        stacks, self.stacks, self._numbers = self.stacks, [], {}
        used = sorted({number for instant in kept for number in instant.stacks})
        renumbered = {number: self._number(stacks[number]) for number in used}
        self.kept = [
            instant._replace(stacks=array("I", [renumbered[number] for number in instant.stacks])) for instant in kept
        ]
        self._held = sum(len(instant.stacks) for instant in kept)

    def _number(self, stack: Stack) -> int:
        number = self._numbers.get(stack)
        if number is None:
            number = self._numbers[stack] = len(self.stacks)
            self.stacks.append(stack)
        return number


def _column(values: Iterable[int]) -> array[int]:
    """Values as 64-bit numbers; sums of what a target says may be anything."""
    return array("q", [max(-_MOST, min(_MOST, value)) for value in values])


def _largest(samples: Samples) -> list[tuple[Stack, Sequence[int]]]:
    """The rows with the largest values, and the sum of the others as one."""
    index = samples.types.index(samples.value_type())
    rows = sorted(samples.rows, key=lambda row: abs(row[1][index]), reverse=True)
    others = [sum(column) for column in zip(*(values for _, values in rows[MAX_STACKS - 1 :]), strict=True)]
    return [*rows[: MAX_STACKS - 1], (OTHERS, others)]
