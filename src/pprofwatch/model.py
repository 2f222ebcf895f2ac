"""The words that every part shares: target, profile request, entry, frame, stack, record, profile."""

from __future__ import annotations

import threading
from typing import NamedTuple
from weakref import WeakValueDictionary

#: Profiles that Go serves as text with ``debug=1`` and as a protobuf delta with ``seconds=N``.
TEXT_PROFILES = ("goroutine", "threadcreate", "heap", "allocs", "block", "mutex", "goroutineleak")
#: Profiles that are binary, always measured over a span of time, and stored a file each.
BINARY_PROFILES = ("profile", "trace")
#: What a protobuf of block or mutex is called where nothing tells which of the two it is: both have the same values.
CONTENTIONS = "contentions"


class Frame(NamedTuple):
    """A line of a function in a stack. ``line`` is 0 and ``file`` empty where the profile has no symbols."""

    function: str
    file: str
    line: int


class Stack:
    """A call stack, leaf first: what goroutines, threads or allocations are counted by.

    Stacks with the same frames are the same object, also after unpickling. They are looked up a hundred at a time, at
    every poll: that is as quick as it can be.
    """

    __slots__ = ("__weakref__", "frames")
    frames: tuple[Frame, ...]

    def __new__(cls, frames: tuple[Frame, ...]) -> Stack:
        """The stack with these frames."""
        stack = _stacks.get(frames)
        if stack is None:
            with _making:
                stack = _stacks.get(frames)
                if stack is None:
                    stack = super().__new__(cls)
                    stack.frames = frames
                    _stacks[frames] = stack
        return stack

    def __reduce__(self) -> tuple[type[Stack], tuple[tuple[Frame, ...]]]:
        return Stack, (self.frames,)

    def __repr__(self) -> str:
        return f"Stack({' < '.join(frame.function for frame in self.frames)})"

    @property
    def functions(self) -> tuple[str, ...]:
        """The function names, leaf first."""
        return tuple(frame.function for frame in self.frames)


#: All stacks that are in use.
_stacks: WeakValueDictionary[tuple[Frame, ...], Stack] = WeakValueDictionary()
_making = threading.Lock()


class Record(NamedTuple):
    """A stack with its values in one profile.

    ``values`` has one number a sample type of the profile: goroutine, threadcreate and goroutineleak ``(count,)``;
    heap and allocs ``(inuse_objects, inuse_bytes, alloc_objects, alloc_bytes)`` as sampled, not scaled; block and
    mutex ``(contentions, cycles)``. ``labels`` is Go's rendering of pprof labels (JSON), or empty.
    """

    stack: Stack
    values: tuple[int, ...]
    labels: str = ""


class Profile(NamedTuple):
    """A parsed profile.

    ``kind`` is the profile's name (``heap`` for allocs too: their text is the same), ``total`` the number in its
    first line (goroutines, threads; sampled live objects for heap; 0 for block and mutex, whose header has none).
    ``period`` is heap's sampling rate in bytes or mutex's and block's sampling period; ``cycles_per_second`` scales
    block and mutex.
    """

    kind: str
    total: int
    records: tuple[Record, ...]
    period: int = 0
    cycles_per_second: int = 0


class Target(NamedTuple):
    """One Go process's pprof base URL, with a name.

    ``url`` never holds credentials and ends in ``/``: ``http://localhost:6060/debug/pprof/``. ``socket`` is the path of
    a unix socket, or empty.
    """

    name: str
    url: str
    socket: str = ""


class ProfileRequest(NamedTuple):
    """A profile to ask a target for.

    ``seconds`` is how long it is measured (0: an instant), ``every`` how often it is polled, in seconds (0: only when
    there is need). One that is ``implied`` was not asked for by the user: that the target lacks it is no news.
    ``debug`` is Go's parameter for profiles of an instant: 1 is text, 0 protobuf, 2 (``goroutine`` alone) the text of
    each goroutine; only the first of them goes to a log.
    """

    name: str
    seconds: int = 0
    every: float = 10.0
    implied: bool = False
    debug: int = 1

    @property
    def log_name(self) -> str:
        """The name of its log in the target's folder: deltas never share a log with levels."""
        if self.seconds and self.name in TEXT_PROFILES:
            return f"{self.name}-delta"
        return self.name


class Entry(NamedTuple):
    """A poll as it is written to a log, whatever became of it.

    ``time`` is the wall clock when the request was sent, in Unix seconds, to the millisecond. Exactly one holds:
    ``body`` is the profile; ``error`` says why there is none; ``gap`` counts polls that were skipped up to ``time``
    (``error`` may add why); ``file`` names the binary profile, relative to the target's folder. ``took`` is the
    request's duration in seconds. ``target`` and ``profile`` are empty in logs that do not say (a shell loop's).
    """

    time: float
    target: str
    profile: str
    body: bytes = b""
    seconds: int = 0
    took: float = 0.0
    error: str = ""
    gap: int = 0
    file: str = ""
