"""Stepping through one log from header to header, past whatever is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.logs.entry import MAX_BODY, MAX_HEADER, Header, ScannedEntry, is_undamaged
from pprofwatch.logs.foreign import error_text, profile_name
from pprofwatch.logs.search import LENGTH, TOTAL, find_behind_profile, find_header, parse_line
from pprofwatch.logs.skim import skim_loop, skim_own

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from pprofwatch.logs.sources import Report
    from pprofwatch.logs.window import Window

#: As much of a body tells what it is: a profile's first line, or an error's.
_HEAD = 1024


def first_line(body: bytes) -> bytes:
    """What is left of a body that is cut to its first line, without the newline."""
    return body[:_HEAD].partition(b"\n")[0]


class Scanner:
    """Reads the entries of one log, in order.

    With ``first_lines`` bodies are cut to their first line, and what lies after that is not read where it needn't be:
    damage inside of it then goes unnoticed, unless it hides the next header.
    """

    def __init__(
        self,
        window: Window,
        report: Report,
        *,
        wanted: Callable[[Header], bool] = lambda _: True,
        first_lines: bool = False,
    ) -> None:
        """Scan what is in a window.

        Args:
            window: The log.
            report: Called with what can't be read: offset and length in bytes, and why.
            wanted: Which entries to yield, by their headers.
            first_lines: Cut bodies to their first line.
        """
        self._window = window
        self._report = report
        self._wanted = wanted
        self._first_lines = first_lines
        self._found_any = False
        self._has_checksums = False
        self._seen: tuple[int, bytes, Header | None] = (-1, b"", None)

    def entries(self, start: int = 0) -> Iterator[ScannedEntry]:
        """Each entry that is whole and wanted, from the offset ``start`` on."""
        offset = start
        while True:
            offset = yield from self._skim(offset)
            self._window.keep = offset
            line, header = self._line_at(offset)
            if not line:
                return
            if header is None:
                offset = self._skip(offset)
                continue
            if header.length is None:
                entry, offset = self._read_foreign(offset, offset + len(line), header)
            else:
                entry, offset = self._read_own(offset, offset + len(line), header, header.length)
            if entry is not None:
                yield entry

    def find(self, start: int) -> int:
        """The offset of the first header line at or after ``start``, a line's beginning; the log's end if none is."""
        self._found_any = True  # where a part of a log is scanned, it is a log
        return self._find(start)

    def _skim(self, offset: int) -> Generator[ScannedEntry, None, int]:
        """Yields entries as long as they are plainly whole: most of most logs. Returns the first other's offset."""
        line, header = self._line_at(offset)
        self._found_any = self._found_any or header is not None
        if header is None or self._lost_checksum(header):
            return offset
        window, wanted, first_lines = self._window, self._wanted, self._first_lines
        if header.length is not None:
            return (yield from skim_own(window, offset, wanted, first_lines=first_lines))
        return (yield from skim_loop(window, offset, line, header, wanted, first_lines=first_lines))

    def _line_at(self, offset: int) -> tuple[bytes, Header | None]:
        """The line at ``offset``, and the header that it may be. The last one is remembered: it is asked for twice."""
        if self._seen[0] != offset:
            line = self._window.line(offset, MAX_HEADER)
            self._seen = (offset, line, parse_line(line))
        return self._seen[1:]

    def _read_own(self, offset: int, body_at: int, header: Header, length: int) -> tuple[ScannedEntry | None, int]:
        """An entry of ours, and where the next one is expected; no entry if it is damaged or not wanted."""
        window = self._window
        if self._lost_checksum(header):
            return None, self._skip_damaged(offset, body_at, "damaged")
        self._has_checksums = header.is_checked
        end = body_at + length
        wanted = self._wanted(header)
        if wanted and not self._first_lines:
            body = window.read(body_at, length)
            after = self._after_body(end)
            whole = is_undamaged(body, header)
        else:
            body = first_line(window.read(body_at, min(length, _HEAD))) if wanted else b""
            after = self._after_body(end)
            whole = after is not None and (self._leads_on(after) or is_undamaged(window.read(body_at, length), header))
        if after is None or not whole:
            return None, self._skip_damaged(offset, body_at, "torn" if after is None else "damaged")
        return (ScannedEntry(offset, after, header, body) if wanted else None), after

    def _lost_checksum(self, header: Header) -> bool:
        """Whether a header has none where the others have: what has led to that may have changed anything before it."""
        return self._has_checksums and header.length is not None and not header.is_checked

    def _leads_on(self, after: int) -> bool:
        """Whether the log ends, or another header stands, where one should."""
        line, header = self._line_at(after)
        return header is not None or not line

    def _after_body(self, end: int) -> int | None:
        """Where the next header should stand: past the newline that is added to a body without one.

        None if the log ends within the body.
        """
        last = self._window.read(end - 1, 2)
        if last[:1] == b"\n" or len(last) == 1:
            return end
        return None if not last else end + (last[1:] == b"\n")

    def _skip_damaged(self, offset: int, body_at: int, what: str) -> int:
        """Report a damaged entry; return where the next header is, which may well be inside of what is damaged."""
        found = self._find(body_at)
        self._report(offset, found - offset, f"{what} entry")
        return found

    def _skip(self, offset: int) -> int:
        """Report bytes that begin with no header; return where the next header is, or the log's end."""
        found = self._find(offset)
        nothing = not self._found_any and self._window.at_end and found == self._window.end
        self._report(
            offset,
            found - offset,
            "not a log: expected a line with a time before each profile" if nothing else "no header line",
        )
        return found

    def _find(self, start: int, keep: int | None = None, search: Callable[[bytes, int], int] = find_header) -> int:
        """The offset of the next header line at or after ``start``, or of the log's end.

        Bytes from ``keep`` on stay in memory, if they are no more than a body may have.
        """
        window = self._window
        window.read(start, 1)
        searched = start
        while True:
            hit = search(window.data, searched - window.base)
            if hit >= 0:
                return window.base + hit
            if window.at_end:
                return window.end
            # Go on at the last line, which may be a header's beginning; no header is longer than MAX_HEADER.
            last_line = window.base + window.data.rfind(b"\n") + 1
            searched = max(searched, last_line, window.end - MAX_HEADER)
            window.keep = searched if keep is None or searched - keep > MAX_BODY else keep
            window.read_on()

    def _read_foreign(self, offset: int, body_at: int, header: Header) -> tuple[ScannedEntry | None, int]:
        """An entry of another program's log, which ends where the next header stands."""
        head = self._window.read(body_at, _HEAD)
        line, newline, _ = head.partition(b"\n")
        profile = profile_name(line)
        keep = None if self._first_lines else body_at
        if newline and TOTAL in line and LENGTH not in line:
            end = self._find(body_at + len(line) + 1, keep, find_behind_profile)
        else:
            end = self._find(body_at, keep)
        if not profile:
            header = header._replace(error=error_text(head[: end - body_at]))
            return (ScannedEntry(offset, end, header, b"") if self._wanted(header) else None), end
        header = header._replace(profile=profile)
        if not self._wanted(header):
            return None, end
        if end - body_at > MAX_BODY:
            self._report(offset, end - offset, f"the entry is longer than {MAX_BODY} bytes")
            return None, end
        body = line if self._first_lines else self._window.read(body_at, end - body_at)
        return ScannedEntry(offset, end, header, body), end
