"""Which line of a stack to look at first, and which stacks belong together."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pprofwatch.model import Frame, Stack

# The first element of every package path of Go's standard library. ``cmd`` and ``vendor`` come with the toolchain.
_STANDARD = frozenset(
    """
    archive arena bufio bytes cmp cmd compress container context crypto database debug embed encoding errors expvar
    flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp runtime
    simd slices sort strconv strings structs sync syscall testing text time unicode unique unsafe vendor weak
    """.split()  # noqa: SIM905  # as a list, it would fill a page
)
_CLOSURE = re.compile(r"\.(?:func\d+|gowrap\d+|deferwrap\d+|\d+)(?:[.-].*)?$")


def package(function: str) -> str:
    """The package path of a function: ``net/http`` of ``net/http.(*conn).serve``."""
    before_types = re.split(r"[(\[]", function, maxsplit=1)[0]
    dot = function.find(".", before_types.rfind("/") + 1)
    return function if dot < 0 else function[:dot]


@functools.lru_cache(maxsize=8192)  # of a leak's stacks it is asked whenever a block closes
def is_standard(frame: Frame) -> bool:
    """Whether a frame is the runtime's or the standard library's.

    A package of theirs is known by its first element, which holds no dot; a user's module may be called ``internal`` or
    ``log`` too, so the file must be where Go keeps that package: ``…/src/net/http/server.go``, or just
    ``net/http/server.go`` when the program was built with -trimpath. The runtime holds parts of other packages:
    ``sync.runtime_notifyListWait`` is in ``…/src/runtime/sema.go``.
    """
    path = package(frame.function)
    if path.split("/", 1)[0] not in _STANDARD:
        return False
    folder = frame.file.rpartition("/")[0]
    homes = (path, "runtime")
    at_home = folder in homes or folder.endswith(tuple(f"/src/{home}" for home in homes))
    return not folder or at_home or folder.startswith("vendor/")


def culprit(stack: Stack) -> Frame:
    """The frame to look at first: the topmost that is the user's own, or the topmost where none is."""
    return next((frame for frame in stack.frames if not is_standard(frame)), stack.frames[0])


def is_users(stack: Stack) -> bool:
    """Whether any frame of the stack is the user's own."""
    return any(not is_standard(frame) for frame in stack.frames)


def origin(stack: Stack) -> str:
    """The function that the goroutine began in, closures named by the function that they stand in.

    One loop that sleeps, asks and waits shows as three stacks; twenty closures of a handler show as twenty. Either way
    they have one origin.
    """
    return enclosing(stack.frames[-1].function)


def enclosing(function: str) -> str:
    """The function that a closure stands in; any other is its own."""
    return _CLOSURE.sub("", function)
