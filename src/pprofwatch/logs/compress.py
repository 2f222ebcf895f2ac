"""Compressing a closed segment: a long window, since consecutive entries are nearly the same.

Measured on 56 MB of 6 KB entries and 64 MB of 88 KB ones: a window of 4 MiB with long-distance matching leaves 0.87 %
and 0.45 % of the text, and takes 8 MB of memory; one of 128 MiB leaves 0.86 % and 0.28 %, and takes 84 MB, more than
all the rest of the daemon. Frames of 8 MiB (they are in the figures) keep damage from spreading: readers go on at the
next one. Before them stands a seal (``seal.py``), so that no damage goes unnoticed, and behind them an index
(``index.py``), for those who only count.
"""

from __future__ import annotations

import itertools
import os
import zlib
from typing import TYPE_CHECKING

from pprofwatch.logs.files import log_error, open_regular, sync_folder
from pprofwatch.logs.index import encode_index
from pprofwatch.logs.names import TEMPORARY
from pprofwatch.logs.seal import LENGTH, Seal
from pprofwatch.logs.sources import RawFile
from pprofwatch.logs.zstd import CompressionParameter, ZstdCompressor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_OPTIONS: dict[int, int] = {
    CompressionParameter.compression_level: 6,
    CompressionParameter.window_log: 22,
    CompressionParameter.enable_long_distance_matching: 1,
}
#: Bytes of text in a frame.
_FRAME = 8 << 20
_BLOCK = 256 << 10


def compress_segment(path: Path) -> Path:
    """Compress a closed segment, and remove the plain one once the compressed one is on the disk. Blocks for a while.

    It can be interrupted anywhere, also by a loss of power: doing it again finishes what was begun.

    Args:
        path: The closed segment, ``….log``.

    Returns:
        The compressed one, ``….log.zst``, with the plain one's time.

    Raises:
        LogError: It can't be read or written. The plain segment is then still there.
    """
    target = path.with_name(path.name + ".zst")
    try:
        with _open(path, os.O_RDONLY) as plain:
            # Until the compressed segment is complete, this is the only copy; the writer did not wait for it.
            os.fdatasync(plain.fileno())
            _write_compressed(plain, target)
        sync_folder(path.parent)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise log_error(path, "compress", error) from error
    return target


def _write_compressed(plain: BinaryIO, target: Path) -> None:
    temporary = target.with_name(target.name + TEMPORARY)
    temporary.unlink(missing_ok=True)
    try:
        with _open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
            _compress(plain, file)
            file.flush()
            status = os.fstat(plain.fileno())
            os.utime(file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(file.fileno())
        temporary.rename(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _compress(plain: BinaryIO, file: BinaryIO) -> None:
    size = crc32 = 0
    file.write(bytes(LENGTH))  # the seal's place: what it says is known at the end
    with RawFile(os.dup(plain.fileno())) as raw:
        index = encode_index(raw)
    for data in itertools.chain(_compressed(plain), [index]):
        file.write(data)
        size += len(data)
        crc32 = zlib.crc32(data, crc32)
    file.seek(0)
    file.write(Seal(size, crc32).encode())


def _compressed(plain: BinaryIO) -> Iterator[bytes]:
    compressor = ZstdCompressor(options=_OPTIONS)
    in_frame = 0
    while block := plain.read(_BLOCK):
        in_frame += len(block)
        full = in_frame >= _FRAME
        yield compressor.compress(block, ZstdCompressor.FLUSH_FRAME if full else ZstdCompressor.CONTINUE)
        in_frame = 0 if full else in_frame
    if in_frame:
        yield compressor.flush(ZstdCompressor.FLUSH_FRAME)


def _open(path: Path, flags: int) -> BinaryIO:
    return os.fdopen(open_regular(path, flags), "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "wb")
