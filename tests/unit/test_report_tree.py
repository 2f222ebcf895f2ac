"""The call graph of a report: right counts, and only paths that occurred."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pprofwatch.model import Frame, Stack
from pprofwatch.report.callgraph import FOLDED, MAX_DEPTH, CallGraph, build_call_graph


def stack(*functions: str) -> Stack:
    """A stack, outermost function first, as trees are read."""
    return Stack(tuple(Frame(name, f"/src/{name}.go", len(name)) for name in reversed(functions)))


def as_paths(graph: CallGraph, values: list[int]) -> dict[tuple[str, ...], int]:
    """The sum of each node, by its path from the root."""
    sums = graph.cumulate(values)
    paths: list[tuple[str, ...]] = [()]
    for node in range(1, len(graph.functions)):
        paths.append((*paths[graph.parents[node]], graph.functions[node]))
    return dict(zip(paths, sums, strict=True))


def own(graph: CallGraph, values: list[int], node: int) -> int:
    return sum(value for end, value in zip(graph.ends, values, strict=True) if end == node)


def test_each_node_counts_what_is_under_it() -> None:
    stacks = [stack("main", "serve", "read"), stack("main", "serve", "write"), stack("main", "serve"), stack("gc")]
    assert as_paths(build_call_graph(stacks), [5000, 3, 2, 1]) == {
        (): 5006,
        ("main",): 5005,
        ("main", "serve"): 5005,
        ("main", "serve", "read"): 5000,
        ("main", "serve", "write"): 3,
        ("gc",): 1,
    }


def test_paths_that_share_a_function_in_the_middle_are_not_joined() -> None:
    stacks = [stack("a", "shared", "x"), stack("b", "shared", "y")]
    paths = as_paths(build_call_graph(stacks), [1, 1])
    assert ("a", "shared", "y") not in paths
    assert ("b", "shared", "x") not in paths
    assert len(paths) == 7


def test_recursion_and_repeated_middleware_follow_themselves() -> None:
    stacks = [stack("main", "walk", "walk", "walk"), stack("main", "walk"), stack("log", "auth", "log", "handle")]
    paths = as_paths(build_call_graph(stacks), [4, 1, 2])
    assert paths["main", "walk"] == 5
    assert paths["main", "walk", "walk"] == paths["main", "walk", "walk", "walk"] == 4
    assert paths["log", "auth", "log", "handle"] == 2


def test_inverted_it_begins_at_the_leaf() -> None:
    stacks = [stack("a", "wait"), stack("b", "wait"), stack("b")]
    assert as_paths(build_call_graph(stacks, inverted=True), [1, 2, 4]) == {
        (): 7,
        ("wait",): 3,
        ("wait", "a"): 1,
        ("wait", "b"): 2,
        ("b",): 4,
    }


def test_the_runtimes_frames_can_be_left_out_but_not_of_stacks_that_have_no_others() -> None:
    stacks = [stack("main.run", "runtime.selectgo", "runtime.gopark"), stack("runtime.bgsweep")]
    paths = as_paths(build_call_graph(stacks, with_runtime=False), [3, 1])
    assert paths == {(): 4, ("main.run",): 3, ("runtime.bgsweep",): 1}


def test_a_node_names_its_places_in_the_source() -> None:
    frames = [Frame("main.work", "/src/work.go", line) for line in (7, 9, 7, 11, 13)]
    graph = build_call_graph([Stack((frame,)) for frame in frames])
    assert graph.places[1] == ("/src/work.go:7", "/src/work.go:9", "/src/work.go:11")


def test_too_many_nodes_are_folded_where_they_would_have_been() -> None:
    stacks = [stack("main", "big", "one"), *(stack("main", "big", f"f{i}", "leaf") for i in range(100))]
    graph = build_call_graph(stacks, max_nodes=10)
    paths = as_paths(graph, [50] + [1] * 100)
    assert len(graph.functions) == 11
    assert graph.folded == 97  # the tree had room for main, big, one; f0, leaf … f2, leaf
    assert paths["main", "big"] == 150
    assert paths["main", "big", FOLDED] == 97


def test_what_is_deeper_than_anyone_looks_is_folded() -> None:
    graph = build_call_graph([stack(*["recurse"] * 5000)])
    assert len(graph.functions) == MAX_DEPTH + 2
    assert graph.functions[-1] == FOLDED
    assert graph.cumulate([7])[-1] == 7


_STACKS = st.lists(
    st.lists(st.sampled_from(["a", "b", "runtime.x", "(folded)"]), min_size=1, max_size=8).map(lambda f: stack(*f)),
    max_size=30,
)


@given(_STACKS, st.booleans(), st.booleans(), st.integers(1, 40), st.data())
def test_a_node_is_its_own_and_its_childrens_sum(
    stacks: list[Stack], inverted: bool, with_runtime: bool, max_nodes: int, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.integers(-5, 1000), min_size=len(stacks), max_size=len(stacks)))
    graph = build_call_graph(stacks, inverted=inverted, with_runtime=with_runtime, max_nodes=max_nodes)
    sums = graph.cumulate(values)
    assert sums[0] == sum(values)
    for node, total in enumerate(sums):
        assert total == own(graph, values, node) + sum(sums[child] for child in graph.children(node))


@given(_STACKS, st.booleans())
def test_every_path_was_taken_by_a_stack(stacks: list[Stack], inverted: bool) -> None:
    graph = build_call_graph(stacks, inverted=inverted)
    taken: set[tuple[str, ...]] = {()}
    for one in stacks:
        functions = one.functions if inverted else one.functions[::-1]
        taken |= {functions[:depth] for depth in range(len(functions) + 1)}
    assert set(as_paths(graph, [0] * len(stacks))) == taken
    assert graph.folded == 0
