"""Goroutine dumps, Go's debug=2 text: every goroutine for itself, with its id, its state and how long it has waited.

What Go writes stands in its ``runtime/traceback.go``: ``goroutineheader`` and ``traceback2``::

    goroutine 9 [chan send (leaked), 14 minutes, locked to thread] {tenant: "a b"}:
    main.(*Pool).work(0xc00012a000, {0x1, 0x2, ...})
    <TAB>/src/app/pool.go:54 +0x76
    created by main.NewPool in goroutine 1
    <TAB>/src/app/pool.go:31 +0x4e
    <blank line>

Arguments, labels, creators and what Go says about a stack that it could not walk are left out here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pprofwatch.errors import ProfileError
from pprofwatch.model import Frame, Stack
from pprofwatch.profiles import grammar
from pprofwatch.profiles.frames import without_runtime_leaf

# GOTRACEBACK=system adds "gp=0xc000002380 m=0 mp=0x5a1b60" before the bracket.
_HEADER = re.compile(rb"goroutine (\d{1,20})(?: gp=[^\[\n]*)? \[([^\]\n]{1,200})\][^\n]*:\n")
# Arguments hold no parentheses, so that the last one opens them. A frame at a function's entry has no offset, and an
# inlined one neither.
_FRAME = re.compile(
    rb"^([^\t\n][^\n]*)\([^()\n]*\)\n\t([^\n]*?):(\d{1,19})(?: \+0x[0-9a-f]{1,16})?(?: fp=[^\n]*)?$", re.MULTILINE
)
#: What follows a goroutine's frames: who made it, and who made that (``GODEBUG=tracebackancestors``).
_END_OF_FRAMES = re.compile(rb"^(?:created by |\[originating from )", re.MULTILINE)
_MINUTES = re.compile(rb"(\d{1,8}) minutes")
_LEAKED, _SCANNED, _LOCKED = b" (leaked)", b" (scan)", b"locked to thread"


@dataclass(frozen=True, slots=True)
class Goroutine:
    """A goroutine as one dump shows it.

    Attributes:
        id: Its number, which no other goroutine of that process ever has.
        state: Why it waits, or what it does, in Go's words: ``chan send``, ``IO wait``, ``running``.
        minutes: For how many whole minutes; 0 also where Go doesn't know. Go notes the time when a garbage collection
            first sees a goroutine wait, which may be two minutes late, and has none for one that is ``leaked``.
        leaked: Whether the target has found, for its goroutineleak profile, that it can never run again.
        locked: Whether it is bound to its OS thread.
        stack: Its frames, leaf first, as debug=1 shows them but for the runtime's, which are missing from the middle
            and the root, too, and for the middle of one of more than 100 frames: compare by
            :func:`pprofwatch.profiles.frames.matching_key`.
    """

    id: int
    state: str
    minutes: int
    leaked: bool
    locked: bool
    stack: Stack


@dataclass(frozen=True, slots=True)
class Dump:
    """All goroutines of a process at one moment; ``cut_short``: only those whose stacks came whole."""

    goroutines: tuple[Goroutine, ...]
    cut_short: bool


def parse_dump(body: bytes, *, max_goroutines: int = 100_000) -> Dump:
    """Parses the answer to ``goroutine?debug=2``.

    Go stops writing at 64 MiB, and a connection may end sooner: what came whole is used. The last goroutine counts as
    whole if the line that names its creator has begun.

    Args:
        body: the text.
        max_goroutines: how many goroutines to read; the dump is cut short after them.

    Raises:
        ProfileError: the text is something else, or has too many lines or frames.
    """
    if not _HEADER.match(body):
        raise ProfileError(
            f"line 1: expected the first line of a goroutine dump, such as 'goroutine 1 [running]:', "
            f"not {grammar.quoted(body)}"
        )
    if body.count(b"\n") > grammar.MAX_LINES:
        raise ProfileError(f"the goroutine dump has more than {grammar.MAX_LINES} lines")
    reader = _Reader()
    goroutines: list[Goroutine] = []
    offset, end, cut_short = 0, len(body), not body.endswith(b"\n")
    while offset < end:
        blank = body.find(b"\n\n", offset)
        text = body[offset:] if blank < 0 else body[offset : blank + 1]
        frames_end = _END_OF_FRAMES.search(text)
        if len(goroutines) == max_goroutines or (blank < 0 and not frames_end):
            cut_short = True
            break
        header = _HEADER.match(text)
        if not header:
            line = body.count(b"\n", 0, offset) + 1
            raise ProfileError(f"line {line}: expected 'goroutine', its number and state, not {grammar.quoted(text)}")
        stack = reader.stack(text[header.end() : frames_end.start() if frames_end else None])
        goroutines.append(_goroutine(header, stack))
        offset += len(text) + 1
    return Dump(tuple(goroutines), cut_short)


def _goroutine(header: re.Match[bytes], stack: Stack) -> Goroutine:
    state, *details = header[2].split(b", ")
    minutes = 0
    for detail in details:
        if waited := _MINUTES.fullmatch(detail):
            minutes = int(waited[1])
    leaked = _LEAKED in state
    state = state.replace(_LEAKED, b"").replace(_SCANNED, b"")
    return Goroutine(int(header[1]), grammar.clean_text(state), minutes, leaked, _LOCKED in details, stack)


class _Reader:
    """Stacks by what was read of them: many goroutines have the same."""

    def __init__(self) -> None:
        self._stacks: dict[tuple[tuple[bytes, bytes, bytes], ...], Stack] = {}
        self._frames: dict[tuple[bytes, bytes, bytes], Frame] = {}

    def stack(self, text: bytes) -> Stack:
        found = tuple(_FRAME.findall(text))
        stack = self._stacks.get(found)
        if stack is None:
            if len(found) > grammar.MAX_FRAMES:
                raise ProfileError(f"the goroutine dump has more than {grammar.MAX_FRAMES} frames in a stack")
            stack = self._stacks[found] = Stack(self._visible([self._frame(columns) for columns in found]))
        return stack

    def _frame(self, columns: tuple[bytes, bytes, bytes]) -> Frame:
        frame = self._frames.get(columns)
        if frame is None:
            function, file, line = columns
            name = "runtime.gopanic" if function == b"panic" else grammar.clean_name(function)
            frame = self._frames[columns] = Frame(name, grammar.clean_name(file), int(line))
        return frame

    @staticmethod
    def _visible(frames: list[Frame]) -> tuple[Frame, ...]:
        frames = [frame for frame in frames if frame.function != "runtime.goexit"]
        return tuple(without_runtime_leaf(frames)) or (grammar.UNKNOWN_FRAME,)
