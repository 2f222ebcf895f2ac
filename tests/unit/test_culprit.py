"""Which line of a stack is the one to look at."""

from __future__ import annotations

import pytest

from pprofwatch.leaks.culprit import culprit, enclosing, is_standard, is_users, origin, package
from pprofwatch.model import Frame, Stack

GO = "/usr/local/go/src"
PARK = Frame("runtime.gopark", f"{GO}/runtime/proc.go", 435)
SERVE = Frame("net/http.(*conn).serve", f"{GO}/net/http/server.go", 2102)
HANDLER = Frame("example.com/shop/cart.(*Cart).add", "/src/shop/cart/cart.go", 12)


@pytest.mark.parametrize(
    ("function", "path"),
    [
        ("main.main", "main"),
        ("main.(*Dispatcher).forward", "main"),
        ("net/http.(*conn).serve", "net/http"),
        ("net/http.HandlerFunc.ServeHTTP", "net/http"),
        ("example.com/shop/cart.(*Cart).add.func1", "example.com/shop/cart"),
        ("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml%2ev3"),
        ("example.com/merge.Sorted[...].func1", "example.com/merge"),
        ("example.com/merge.Sorted[example.com/x.T]", "example.com/merge"),
        ("main.(*Box[example.com/x.T]).Put", "main"),
        ("main.Do[go.shape.struct { example.com/x.a int }]", "main"),
        ("main.glob..func1", "main"),
        ("0x48c3ca", "0x48c3ca"),
    ],
)
def test_the_package_of_a_function(function: str, path: str) -> None:
    assert package(function) == path


@pytest.mark.parametrize(
    ("function", "file"),
    [
        ("runtime.gopark", f"{GO}/runtime/proc.go"),
        ("net/http.(*conn).serve", f"{GO}/net/http/server.go"),
        ("net/http.(*conn).serve", "net/http/server.go"),  # -trimpath
        ("internal/poll.(*FD).Read", "/opt/hostedtoolcache/go/1.27.3/x64/src/internal/poll/fd_unix.go"),
        ("slices.SortFunc[...]", f"{GO}/slices/sort.go"),
        ("runtime.goexit", ""),
        # Parts of other packages that the runtime holds.
        ("sync.runtime_notifyListWait", f"{GO}/runtime/sema.go"),
        ("internal/poll.runtime_pollWait", f"{GO}/runtime/netpoll.go"),
        ("time.Sleep", "runtime/time.go"),
        ("vendor/golang.org/x/net/http2/hpack.(*Decoder).Write", f"{GO}/vendor/golang.org/x/net/http2/hpack/hpack.go"),
        ("vendor/golang.org/x/net/dns.Parse", "vendor/golang.org/x/net/dns/message.go"),
    ],
)
def test_go_s_own(function: str, file: str) -> None:
    assert is_standard(Frame(function, file, 1))


@pytest.mark.parametrize(
    ("function", "file"),
    [
        ("main.main", "/src/app/main.go"),
        ("main.main", "./main.go"),
        ("log.(*Rotator).turn", "/home/ann/tool/log/rotate.go"),  # a module that is called log
        ("internal/jobs.Run", "/src/app/internal/jobs/run.go"),
        (
            "golang.org/x/sync/errgroup.(*Group).Go.func1",
            "/root/go/pkg/mod/golang.org/x/sync@v0.1.0/errgroup/errgroup.go",
        ),
        ("example.com/runtime.Start", "/src/runtime/start.go"),
        ("0x48c3ca", ""),
    ],
)
def test_the_user_s_own(function: str, file: str) -> None:
    assert not is_standard(Frame(function, file, 1))


def test_the_culprit_is_the_user_s_topmost_frame() -> None:
    assert culprit(Stack((PARK, HANDLER, SERVE))) == HANDLER
    assert culprit(Stack((HANDLER, SERVE))) == HANDLER
    assert is_users(Stack((PARK, HANDLER, SERVE)))


def test_where_all_is_go_s_own_the_culprit_is_the_topmost_frame() -> None:
    assert culprit(Stack((PARK, SERVE))) == PARK
    assert not is_users(Stack((PARK, SERVE)))


@pytest.mark.parametrize(
    ("function", "outer"),
    [
        ("main.handle", "main.handle"),
        ("main.handle.func1", "main.handle"),
        ("main.handle.func1.2", "main.handle"),
        ("main.handle.func12.func3.1", "main.handle"),
        ("main.handle.gowrap1", "main.handle"),
        ("main.handle.deferwrap2", "main.handle"),
        ("main.handle.func1-range2", "main.handle"),
        ("main.(*Report).render.func19", "main.(*Report).render"),
        ("example.com/merge.Sorted[...].func1", "example.com/merge.Sorted[...]"),
        ("main.function", "main.function"),
        ("main.func1er", "main.func1er"),
    ],
)
def test_closures_are_named_by_the_function_that_they_stand_in(function: str, outer: str) -> None:
    assert enclosing(function) == outer
    assert origin(Stack((PARK, Frame(function, "/src/app/main.go", 3)))) == outer
