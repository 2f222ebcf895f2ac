"""Random damage to files of entries, and what must be found of it: none unnoticed, no undamaged entry lost."""

from __future__ import annotations

import itertools
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from garbling import in_memory
from logmaker import START, log_of, read_all
from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.index import encode_index
from pprofwatch.logs.reader import read_entries
from pprofwatch.logs.seal import LENGTH, Seal
from pprofwatch.logs.sources import open_raw
from pprofwatch.logs.verify import Verifier
from pprofwatch.logs.zstd import ZstdCompressor, ZstdDecompressor
from pprofwatch.model import Entry

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from pprofwatch.logs.verify import Finding

RECORDINGS = Path(__file__).parent / "data" / "recordings"
#: Of the original, from and to, or other bytes.
Part = tuple[int, int] | bytes
#: Disks and file systems work in these, in bytes.
BLOCKS = (512, 4096)


class Original(NamedTuple):
    """A file before it is damaged.

    ``frames`` are where its parts that are read as a whole begin and end, each with the entries that begin in it and
    whether the last of them ends in the next frame: of plain text, the entries themselves.
    """

    data: bytes
    entries: list[Entry]
    frames: list[tuple[int, int]]
    #: The number of the first frame that an entry is in, and of the last one.
    places: list[tuple[int, int]]


class Outcome(NamedTuple):
    """What was made of a damaged file.

    ``noticed`` is what was said of it at most: ``damage``, ``torn`` (a live segment's last entry), ``note`` or nothing;
    ``seamless`` whether it was damaged such that it is a log all the same, of whole entries whose times rise. ``lost``
    counts entries whose bytes are as they were and that were not read (whole, or their first lines), ``invented`` those
    that were read and never written (but for what damage has made look like a shell loop's: those have no checksums).
    """

    noticed: str
    seamless: bool
    lost: int
    invented: int


def real_entries(names: Sequence[str], most: int) -> list[Entry]:
    """Entries of recordings of real servers, and between them polls that brought something else."""
    entries = []
    bodies = itertools.islice((e.body for name in names for e in read_entries([RECORDINGS / f"{name}.log.zst"])), most)
    for number, body in enumerate(bodies):
        entry = Entry(START + 10 * number, "localhost:6060", "goroutine", body, took=0.004)
        match number % 11:
            case 3:
                entry = entry._replace(body=body.rstrip(b"\n"))
            case 5:
                entry = entry._replace(body=b"", error='no answer within 5s: "down"')
            case 6:
                entry = entry._replace(body=b"", gap=3, error="the daemon was stopped", took=0.0)
            case 7:
                entry = entry._replace(body=b"", profile="profile", file="profile/20261122T134953Z.pb.gz", seconds=5)
            case 9:
                entry = entry._replace(target="web shop", seconds=1)
        entries.append(entry)
    return entries


def plain(entries: list[Entry]) -> Original:
    """A plain log."""
    ends = list(itertools.accumulate((len(encode_entry(entry)) for entry in entries), initial=0))
    places = [(number, number) for number in range(len(entries))]
    return Original(log_of(entries), entries, list(itertools.pairwise(ends)), places)


def compressed(entries: list[Entry], data: bytes) -> Original:
    """A compressed segment of ours, whose bytes these are."""
    frames, texts = [], [0]
    at = LENGTH
    while at < len(data):
        decompressor = ZstdDecompressor()
        texts.append(texts[-1] + len(decompressor.decompress(data[at:])))
        end = len(data) - len(decompressor.unused_data)
        frames.append((at, end))
        at = end
    ends = list(itertools.accumulate((len(encode_entry(entry)) for entry in entries), initial=0))
    assert texts[-1] == ends[-1]

    def frame_of(offset: int) -> int:
        return next(number for number, end in enumerate(texts[1:]) if offset < end)

    places = [(frame_of(begin), frame_of(end - 1)) for begin, end in itertools.pairwise(ends)]
    return Original(data, entries, frames, places)


def sealed(entries: list[Entry], *, frame: int) -> bytes:
    """What a compressed segment would be if frames had so many bytes of text."""
    text = log_of(entries)
    data = frames(text, frame) + index_of(text)
    return Seal(len(data), zlib.crc32(data)).encode() + data


def frames(text: bytes, size: int) -> bytes:
    """Compressed text, in frames of so many bytes of it."""
    parts = (text[at : at + size] for at in range(0, len(text), size))
    return b"".join(ZstdCompressor().compress(part, ZstdCompressor.FLUSH_FRAME) for part in parts)


def index_of(text: bytes) -> bytes:
    """The index of a segment with this text."""
    with in_memory(text) as (path, _), open_raw(path) as raw:
        return encode_index(raw)


# Damage.


def flipped(rng: random.Random, size: int, data: bytes) -> list[Part]:
    parts: list[Part] = []
    done = 0
    for at in sorted(rng.sample(range(size), rng.choice((1, 1, 1, 2, 5)))):
        parts += [(done, at), bytes([data[at] ^ 1 << rng.randrange(8)])]
        done = at + 1
    return [*parts, (done, size)]


def _block(rng: random.Random, size: int) -> tuple[int, int]:
    """A stretch, aligned or not: from and to."""
    if rng.random() < 0.5:
        block = rng.choice(BLOCKS)
        begin = rng.randrange(0, size, block)
        return begin, min(begin + block * rng.choice((1, 1, 2, 8)), size)
    begin = rng.randrange(size)
    return begin, min(begin + int(2 ** rng.uniform(0, 15)), size)


def zeroed(rng: random.Random, size: int, _: bytes) -> list[Part]:
    begin, end = _block(rng, size)
    return [(0, begin), bytes(end - begin), (end, size)]


def scribbled(rng: random.Random, size: int, _: bytes) -> list[Part]:
    begin, end = _block(rng, size)
    return [(0, begin), rng.randbytes(end - begin), (end, size)]


def cut(rng: random.Random, size: int, _: bytes) -> list[Part]:
    return [(0, rng.randrange(size))]


def removed(rng: random.Random, size: int, _: bytes) -> list[Part]:
    begin, end = _block(rng, size)
    return [(0, begin), (end, size)]


def inserted(rng: random.Random, size: int, _: bytes) -> list[Part]:
    begin, end = _block(rng, size)
    at = rng.choice((begin, end))
    junk = rng.choice((bytes, rng.randbytes, lambda count: b"\n" * count))
    return [(0, at), junk(end - begin), (at, size)]


def duplicated(rng: random.Random, size: int, _: bytes) -> list[Part]:
    begin, end = _block(rng, size)
    at = rng.choice((end, _block(rng, size)[0]))
    return [(0, at), (begin, end), (at, size)]


def overlaid(rng: random.Random, size: int, _: bytes) -> list[Part]:
    """A block that was written to the wrong place."""
    begin, end = _block(rng, size)
    at = min(_block(rng, size)[0], size - (end - begin))
    return [(0, at), (begin, end), (at + end - begin, size)]


def swapped(rng: random.Random, size: int, _: bytes) -> list[Part]:
    (begin, end), (other, last) = sorted((_block(rng, size), _block(rng, size)))
    if end > other:
        return [(0, size)]
    return [(0, begin), (other, last), (end, other), (begin, end), (last, size)]


KINDS: tuple[Callable[[random.Random, int, bytes], list[Part]], ...]
KINDS = (flipped, zeroed, scribbled, cut, removed, inserted, duplicated, overlaid, swapped)


@dataclass(frozen=True)
class Damaged:
    """A damaged file: its bytes, and what of the original stands in it, in order, from and to."""

    kind: str
    data: bytes
    spans: list[tuple[int, int] | None]


def damage(rng: random.Random, original: Original) -> Damaged:
    """The file with some damage."""
    while True:
        kind = rng.choice(KINDS)
        parts = [part for part in kind(rng, len(original.data), original.data) if part and part != (0, 0)]
        data = b"".join(part if isinstance(part, bytes) else original.data[slice(*part)] for part in parts)
        if data != original.data:
            return Damaged(kind.__name__, data, list(_spans(parts)))


def _spans(parts: list[Part]) -> Iterator[tuple[int, int] | None]:
    """What stands of the original, joined where it stood together; None for other bytes."""
    span: tuple[int, int] | None = None
    for part in parts:
        if isinstance(part, bytes):
            yield from filter(None, (span,))
            yield None
            span = None
        elif part[0] < part[1]:
            if span is not None and span[1] == part[0]:
                span = (span[0], part[1])
            else:
                yield from filter(None, (span,))
                span = part
    yield from filter(None, (span,))


def undamaged(original: Original, damaged: Damaged) -> Counter[Entry]:
    """The entries all of whose frames are there as they were."""
    found: Counter[Entry] = Counter()
    for span in filter(None, damaged.spans):
        whole = {number for number, (begin, end) in enumerate(original.frames) if span[0] <= begin and end <= span[1]}
        for entry, (first, last) in zip(original.entries, original.places, strict=True):
            if whole.issuperset(range(first, last + 1)):
                found[entry] += 1
    return found


def is_seamless(original: Original, damaged: Damaged) -> bool:
    """Whether what is left of a plain log is whole entries whose times rise: nothing in it can tell."""
    edges = {0, len(original.data), *(end for _, end in original.frames)}
    spans = damaged.spans
    if not all(span is not None and edges.issuperset(span) for span in spans):
        return False
    return all(span[1] <= after[0] for span, after in itertools.pairwise(filter(None, spans)))


def outcome(original: Original, damaged: Damaged, path: Path) -> Outcome:
    """What is made of the damaged file at ``path``, which is written."""
    path.write_bytes(damaged.data)
    findings: list[Finding] = []
    verifier = Verifier(findings.append, lambda _: None)
    verifier.check(str(path))
    read = Counter(read_all(path)[0])
    first_lines = Counter(read_all(path, first_lines=True)[0])
    kinds = {"torn" if problem.reason.startswith("torn entry at the end") else kind for kind, problem in findings}
    noticed = next((kind for kind in ("damage", "torn", "note") if kind in kinds), "nothing")
    written = set(original.entries)
    is_plain = original.frames[0][0] == 0
    expected = undamaged(original, damaged)
    lost = (expected - read).total() + (_first_lines(expected) - first_lines).total()
    return Outcome(
        noticed,
        is_plain and is_seamless(original, damaged),
        lost,
        sum(entry not in written for entry in read if entry.target),
    )


def _first_lines(entries: Counter[Entry]) -> Counter[Entry]:
    cut: Counter[Entry] = Counter()
    for entry, count in entries.items():
        cut[entry._replace(body=entry.body.partition(b"\n")[0])] += count
    return cut
