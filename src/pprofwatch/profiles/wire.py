"""How much a pprof protobuf would become in memory, told from its bytes before protobuf decodes them.

Two bytes make an empty message, which takes 50 to 80 in memory: 4 KB of gzip once took 448 MiB.
"""

from __future__ import annotations

from pprofwatch.errors import ProfileError

# How protobuf's wire format writes a field's value: https://protobuf.dev/programming-guides/encoding/
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Numbers of the profile's fields: see profile.proto.
_SAMPLE, _LOCATION, _STRING_TABLE = 2, 4, 6


def check_items(data: bytes, max_items: int) -> None:
    """Checks how many fields a profile has, those of its samples and locations included.

    An array of numbers is a field, and one more for each 16 bytes, since its numbers take less than messages do.

    Raises:
        ProfileError: there are too many, or the bytes are not in protobuf's wire format.
    """
    if _count_down(data, 0, len(data), max_items, nested=False) < 0:
        raise ProfileError(f"the profile has more than {max_items} samples, locations, functions and the like")


def _count_down(data: bytes, offset: int, end: int, left: int, *, nested: bool) -> int:
    """What remains of ``left`` after the fields between two offsets; below 0 as soon as it is used up."""
    while offset < end and left >= 0:
        left -= 1
        tag, offset = _read_varint(data, offset, end)
        field, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            _, offset = _read_varint(data, offset, end)
        elif wire_type == _BYTES:
            length, offset = _read_varint(data, offset, end)
            if length > end - offset:
                raise ProfileError(f"the profile's protobuf stops in the middle of a field, at byte {offset}")
            if not nested and field in (_SAMPLE, _LOCATION):
                left = _count_down(data, offset, offset + length, left, nested=True)
            elif nested or field != _STRING_TABLE:
                left -= length // 16
            offset += length
        elif wire_type in (_FIXED64, _FIXED32):
            offset += 8 if wire_type == _FIXED64 else 4
        else:
            raise ProfileError(f"expected a field of a protobuf at byte {offset}")
    return left


def _read_varint(data: bytes, offset: int, end: int) -> tuple[int, int]:
    """A number of one to ten bytes of seven bits each, lowest first, and the offset behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if offset >= end:
            break
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
    raise ProfileError(f"expected a number of a protobuf at byte {offset}")
