"""The call graph of stacks as a tree: who calls whom, from the outermost frame on, or from the innermost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pprofwatch.profiles.frames import is_runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pprofwatch.model import Frame, Stack

#: What stands for frames that are too many to show.
FOLDED = "(folded)"
#: Deeper frames are folded: nobody follows a recursion further, and a page could not show it.
MAX_DEPTH = 200
#: Places in the source that a node names.
_MAX_PLACES = 3


@dataclass(frozen=True, slots=True)
class CallGraph:
    """A tree of calls. Node 0 is the root, which stands for everything; a parent's number is less than its children's.

    Each node is one way to get to a function from the root: only ways that a stack has taken are there, and a function
    that calls itself follows itself.

    Attributes:
        functions: Each node's function; the root's is empty.
        parents: Each node's parent; the root's is itself.
        places: Where in the source each node's stacks are, as ``file:line``, at most a few.
        ends: The node at which each of the stacks ends, in their order.
        folded: How many stacks do not show all their frames: they end in a node ``FOLDED``.
    """

    functions: tuple[str, ...]
    parents: tuple[int, ...]
    places: tuple[tuple[str, ...], ...]
    ends: tuple[int, ...]
    folded: int

    def cumulate(self, values: Iterable[int]) -> list[int]:
        """The sum under each node, of a value a stack: a node's is its own stacks' and its children's."""
        sums = [0] * len(self.functions)
        for end, value in zip(self.ends, values, strict=True):
            sums[end] += value
        for node in range(len(sums) - 1, 0, -1):
            sums[self.parents[node]] += sums[node]
        return sums

    def children(self, node: int) -> list[int]:
        """The nodes right below one."""
        return [child for child, parent in enumerate(self.parents) if parent == node and child]


def build_call_graph(
    stacks: Sequence[Stack], *, inverted: bool = False, with_runtime: bool = True, max_nodes: int = 15_000
) -> CallGraph:
    """The tree of stacks, the most important first: when there are ``max_nodes``, what the others add is folded.

    Args:
        stacks: Leaf first, as they always are.
        inverted: From the leaf to who calls it, in place of from the outermost frame to what it calls.
        with_runtime: Whether to show the runtime's own frames, in stacks that have others.
        max_nodes: How many nodes to make, beside those that stand for what is folded.
    """
    builder = _Builder(max_nodes)
    for stack in stacks:
        frames = stack.frames if with_runtime else _without_runtime(stack.frames)
        builder.add(frames if inverted else frames[::-1])
    return CallGraph(
        tuple(builder.functions),
        tuple(builder.parents),
        tuple(tuple(places) for places in builder.places),
        tuple(builder.ends),
        builder.folded,
    )


class _Builder:
    def __init__(self, max_nodes: int) -> None:
        self._max_nodes = max_nodes
        self._children: list[dict[str, int]] = [{}]
        self.functions = [""]
        self.parents = [0]
        self.places: list[list[str]] = [[]]
        self.ends: list[int] = []
        self.folded = 0

    def add(self, frames: Sequence[Frame]) -> None:
        node = 0
        for depth, frame in enumerate(frames):
            child = self._children[node].get(frame.function)
            if depth >= MAX_DEPTH or (child is None and len(self.functions) >= self._max_nodes):
                self.folded += 1
                node = self._children[node].get(FOLDED) or self._new(node, FOLDED)
                break
            node = child or self._new(node, frame.function)
            places = self.places[node]
            if frame.file and len(places) < _MAX_PLACES and (place := f"{frame.file}:{frame.line}") not in places:
                places.append(place)
        self.ends.append(node)

    def _new(self, parent: int, function: str) -> int:
        node = len(self.functions)
        self.functions.append(function)
        self.parents.append(parent)
        self.places.append([])
        self._children.append({})
        self._children[parent][function] = node
        return node


def _without_runtime(frames: Sequence[Frame]) -> Sequence[Frame]:
    return [frame for frame in frames if not is_runtime(frame)] or frames
