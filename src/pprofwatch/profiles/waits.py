"""Why goroutines wait, told from the runtime's frames at the leaf of their stacks, which only protobuf has."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from pprofwatch.model import Stack
from pprofwatch.profiles.frames import is_runtime, without_runtime_leaf
from pprofwatch.profiles.proto import to_profile

if TYPE_CHECKING:
    from pprofwatch.model import Frame
    from pprofwatch.profiles.profile_pb2 import Profile as ProtoProfile

#: What a goroutine was in when it parked, in the words of Go's ``waitReasonStrings``, as debug=2 has them.
_PARKED_IN = {
    "runtime.chansend": "chan send",
    "runtime.chanrecv": "chan receive",
    "runtime.selectgo": "select",
    "runtime.block": "select (no cases)",
    "runtime.gcParkAssist": "GC assist wait",
    "time.Sleep": "sleep",
    "internal/poll.runtime_pollWait": "IO wait",
    "sync.runtime_notifyListWait": "sync.Cond.Wait",
    "sync.runtime_Semacquire": "semacquire",
    "internal/poll.runtime_Semacquire": "semacquire",
    "sync.runtime_SemacquireWaitGroup": "sync.WaitGroup.Wait",
    "sync.runtime_SemacquireRWMutexR": "sync.RWMutex.RLock",
    "sync.runtime_SemacquireRWMutex": "sync.RWMutex.Lock",
    "sync.runtime_SemacquireMutex": "sync.Mutex.Lock",
    "internal/sync.runtime_SemacquireMutex": "sync.Mutex.Lock",
}
#: Leaves of goroutines that have not parked, but wait all the same: in the kernel, in C, for another coroutine.
_LEAVES = {
    "runtime.notetsleepg": "syscall",
    "runtime.cgocall": "syscall",
    "syscall.Syscall": "syscall",
    "syscall.Syscall6": "syscall",
    "syscall.syscall": "syscall",
    "syscall.syscall6": "syscall",
    "runtime.coroswitch": "coroutine",
}


def wait_reasons(proto: ProtoProfile) -> dict[Stack, str]:
    """Why the goroutines of each stack wait, in Go's words: ``chan send``, ``select``, ``IO wait``, ``syscall``.

    Args:
        proto: the answer to ``goroutine`` without debug, decoded.

    Returns:
        By stack as debug=1 text shows it; without those that run, or wait for what isn't known here. Where goroutines
        of one stack wait for different things, what most of them wait for.

    Raises:
        ProfileError: it is another kind of profile, or refers to something that it doesn't have.
    """
    by_stack: defaultdict[Stack, Counter[str]] = defaultdict(Counter)
    for record in to_profile(proto, "goroutine", with_runtime=True).records:
        if reason := _reason(record.stack.frames):
            by_stack[Stack(tuple(without_runtime_leaf(record.stack.frames)))][reason] += record.values[0]
    return {stack: reasons.most_common(1)[0][0] for stack, reasons in by_stack.items()}


def _reason(frames: tuple[Frame, ...]) -> str:
    if frames[0].function != "runtime.gopark":
        return _LEAVES.get(frames[0].function, "")
    for frame in frames[1:]:
        if reason := _PARKED_IN.get(frame.function):
            return reason
        if not is_runtime(frame):
            break  # the program's own functions say nothing of why it waits
    return ""
