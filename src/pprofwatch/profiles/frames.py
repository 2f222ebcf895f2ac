"""Which frames of a stack Go shows, and how to tell the same stack in two forms that show different ones.

The debug=1 text leaves out the runtime's frames at the leaf; goroutine dumps (debug=2) leave out nearly all of the
runtime's, wherever they stand, and the middle of a deep stack; protobuf has all of them.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pprofwatch.model import Frame, Stack

#: How many frames tell a stack. Before Go 1.23 profiles end after 32 program counters, of which up to 8 may be the
#: runtime's; dumps show at least the 50 frames nearest to the leaf.
_TELLING_FRAMES = 24
_OPEN, _CLOSE = b"[]"


def is_runtime(frame: Frame) -> bool:
    """Whether a function is the runtime's own."""
    return frame.function.startswith(("runtime.", "internal/runtime/"))


def without_runtime_leaf(frames: Sequence[Frame]) -> Sequence[Frame]:
    """The frames from the first that is not the runtime's, as debug=1 shows them; all where there are no others."""
    return list(itertools.dropwhile(is_runtime, frames)) or frames


def without_type_arguments(name: bytes) -> bytes:
    """``main.consume[go.shape.int]`` as ``main.consume[...]``, which is how Go's text, unlike its protobuf, has it."""
    parts = []
    depth = begin = 0
    for index, byte in enumerate(name):
        if byte == _OPEN:
            if depth == 0:
                parts.append(name[begin:index])
            depth += 1
        elif byte == _CLOSE:
            depth -= 1
            begin = index + 1
            if depth < 0:
                return name
    return name if depth else b"[...]".join([*parts, name[begin:]])


def matching_key(stack: Stack) -> tuple[Frame, ...]:
    """What a stack of a profile and the same stack of a goroutine dump have in common: equal for both.

    Left out are the runtime's frames and those without a package (assembly, C, bare addresses). Stacks that differ
    only beyond 24 frames from the leaf have the same key.
    """
    frames = stack.frames
    shown = tuple(frame for frame in frames if "." in frame.function and not is_runtime(frame))
    return (shown or frames)[:_TELLING_FRAMES]
