"""The report in a real browser: Chromium opens it, clicks in it, and nothing that a target named itself runs."""

from __future__ import annotations

import re
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from logmaker import START, log_of, text_of
from pprofwatch.cli import main
from pprofwatch.model import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[test]'")

#: Seconds in which a page must be open.
_OPEN = 3.0
#: No network, and nothing that it would be used for.
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
HOSTILE = [
    "<img src=x onerror=window.ran=1>",
    "</script><script>window.ran=1</script>",
    "<svg/onload=window.ran=1>",
    "'\"><b onmouseover=window.ran=1>main.f",
    "${window.ran=1}{{window.ran=1}}",
    "main.\x1b[31mred",
]
WORK = "example.com/app.(*Pool).work"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Makes the report of a log, and opens it; in the end, there must have been no complaint and no request."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")

    def open_report(*entries: Entry) -> Page:
        log, report = tmp_path / "x.log", tmp_path / "prof.html"
        log.write_bytes(log_of(entries))
        assert main(["report", str(log), "-o", str(report), "--force"]) == 0
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: complaints.append(request.url) if request.url != report.as_uri() else None)
        began = time.monotonic()
        page.goto(report.as_uri())
        page.wait_for_selector("#growth tbody tr canvas")
        assert time.monotonic() - began < _OPEN
        return page

    yield open_report
    context.close()
    assert complaints == []


def polls(count: int = 60, *, profile: str = "goroutine") -> list[Entry]:
    """A stack that grows, one that shrinks, one that stays; with an hour's hole."""
    entries = []
    for number in range(count):
        counts = {WORK: 10 * number + 1, "example.com/app.drain": 900 - 10 * number, "runtime.bgsweep": 1}
        later = 3600 if number > count / 2 else 0
        entries.append(Entry(START + 10 * number + later, "localhost:6060", profile, text_of(counts, kind=profile)))
    return entries


@pytest.mark.parametrize("profile", ["goroutine", "heap"])
def test_the_timeline_begins_and_ends_with_the_polls_also_where_they_failed(
    profile: str, open_page: Callable[..., Page]
) -> None:
    def poll(number: int) -> Entry:
        heap = f"heap profile: 1: 8 [{number}: 80] @ heap/2\n1: 8 [{number}: 80] @ 0x1\n#\t0x1\tmain.f+0x1\t/a.go:1\n\n"
        text = heap.encode() if profile == "heap" else text_of({WORK: number})
        is_up = 3 <= number < 50
        error = "" if is_up else "connection refused"
        return Entry(START + 10 * number, "localhost:6060", profile, text if is_up else b"", error=error)

    page = open_page(*map(poll, range(60)))
    assert page.locator("#marks").inner_text().startswith("2 × nothing known")  # noqa: RUF001  # as on the page
    assert page.evaluate("[timeline.scales.x.min, timeline.scales.x.max]") == [START, START + 590]


def tab(page: Page, name: str) -> Locator:
    page.click(f"[data-tab={name}]")
    return page.locator(f"#{name}")


def number(text: str) -> int:
    return int(text.replace(",", "") or 0)


def rows(tree: Locator) -> list[tuple[int, int, int, str]]:
    """Each row of the call graph: depth, sum, own, function."""
    found = []
    for row in tree.locator(".row").all():
        cells = row.locator("> span")
        depth = cells.nth(4).evaluate("cell => Number(cell.style.getPropertyValue('--depth'))")
        name = cells.nth(4).locator(".function").inner_text()
        found.append((depth, number(cells.nth(0).inner_text()), number(cells.nth(2).inner_text()), name))
    return found


def test_the_growth_table_has_the_stacks_that_changed_most_first(open_page: Callable[..., Page]) -> None:
    page = open_page(*polls())
    growth = tab(page, "growth")
    first = growth.locator("tr.stack").first
    assert first.locator(".number").all_inner_texts() == ["1", "591", "+590", "+507"]
    assert first.locator(".function").inner_text() == WORK
    first.click()
    assert growth.locator(".frames li").all_inner_texts() == [f"{WORK} /src/app/a.go:0", "main.main /src/app/main.go:7"]


def test_the_timeline_zooms_and_chooses_instants(open_page: Callable[..., Page]) -> None:
    page = open_page(*polls())
    box = page.locator("#timeline .u-over").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    assert page.locator("#marks").inner_text().startswith("1 × nothing known")  # noqa: RUF001  # as on the page
    page.mouse.move(box["x"] + 20, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle, steps=5)
    page.mouse.up()
    page.wait_for_selector("#zoom-out", state="visible")
    page.dblclick("#timeline .u-over")
    page.wait_for_selector("#zoom-out", state="hidden")
    chosen = page.locator(".instant[data-which=b] output")
    before = chosen.inner_text()
    page.mouse.click(box["x"] + 2, middle)
    assert chosen.inner_text() != before
    assert chosen.inner_text() in ("2026-11-22 13:49:53", "2026-11-22 13:50:03")  # a few pixels apart


def test_in_the_tree_a_node_is_its_own_and_its_childrens_sum(open_page: Callable[..., Page]) -> None:
    page = open_page(*polls())
    tree = tab(page, "tree")
    page.click("#tree-hot")
    found = rows(tree)
    assert found == [
        (0, 902, 0, "all"),
        (1, 902, 1, "main.main"),
        (2, 591, 591, WORK),
        (2, 310, 310, "example.com/app.drain"),
    ]
    for index, (depth, total, own, _) in enumerate(found):
        below = found[index + 1 :]
        end = next((i for i, row in enumerate(below) if row[0] <= depth), len(below))
        assert total == own + sum(row[1] for row in below[:end] if row[0] == depth + 1)
    page.check("#inverted")
    inverted = rows(tree)
    assert [row[3] for row in inverted if row[0] == 1] == [WORK, "example.com/app.drain", "main.main"]
    tree.locator(".row", has_text="drain").click()
    assert (2, 310, 310, "main.main") in rows(tree)


def test_the_runtimes_frames_come_when_asked_for(open_page: Callable[..., Page]) -> None:
    names = ["sync.runtime_x", "runtime.call", "main.run"]
    lines = "".join(f"#\t0x1\t{name}+0x1\t/a.go:1\n" for name in names)
    text = f"goroutine profile: total 4\n4 @ 0x1\n{lines}\n".encode()
    page = open_page(Entry(START, "a:1", "goroutine", text))
    tree = tab(page, "tree")
    page.click("#tree-hot")
    assert [row[3] for row in rows(tree)] == ["all", "main.run", "sync.runtime_x"]
    page.check("#runtime")
    page.click("#tree-hot")
    assert [row[3] for row in rows(tree)] == ["all", "main.run", "runtime.call", "sync.runtime_x"]


def test_search_finds_in_all_three(open_page: Callable[..., Page]) -> None:
    page = open_page(*polls())
    page.fill("#search", "POOL")
    playwright.expect(page.locator("#growth tr.stack")).to_have_count(1)
    tree = tab(page, "tree")
    assert [mark.lower() for mark in tree.locator("mark").all_inner_texts()] == ["pool"]
    tab(page, "flame")
    playwright.expect(page.locator("#flame-details")).to_have_text(re.compile("1 frame found, in 591"))


def settle(page: Page) -> None:
    """Wait until the page has been drawn a few times: timers and transitions without a duration are over then."""
    for _ in range(8):
        page.evaluate("() => new Promise(requestAnimationFrame)")


def frames(page: Page) -> dict[str, tuple[float, str]]:
    """The flame graph's frames by name: width in pixels, and colour."""
    settle(page)
    return {
        frame.get_attribute("name") or "": (
            float(frame.locator("rect").get_attribute("width") or 0),
            frame.locator("rect").get_attribute("fill") or "",
        )
        for frame in page.locator("#flame-chart g.frame").all()
    }


def test_the_flame_graph_shows_an_instant_and_a_difference(open_page: Callable[..., Page]) -> None:
    page = open_page(*polls())
    tab(page, "flame")
    shown = frames(page)
    whole = shown["all"][0]
    assert shown[WORK][0] == pytest.approx(whole * 591 / 902, abs=1)
    page.check("#difference")
    shown = frames(page)
    assert shown[WORK][0] == pytest.approx(whole * 591 / (591 + 900 + 1), abs=1)
    reds = {name: list(map(int, re.findall(r"\d+", colour))) for name, (_, colour) in shown.items()}
    assert reds[WORK][0] > reds[WORK][2] + 50
    assert reds["example.com/app.drain"][2] > reds["example.com/app.drain"][0] + 50
    page.locator(f'#flame-chart g.frame[name="{WORK}"]').click()
    assert frames(page)[WORK][0] == pytest.approx(whole, abs=1)
    page.click("#flame-reset")
    assert frames(page)[WORK][0] < whole


def test_every_recording_and_value_can_be_chosen(open_page: Callable[..., Page]) -> None:
    heap = b"heap profile: 1: 3145728 [3: 4096] @ heap/2\n1: 3145728 [3: 4096] @ 0x1\n#\t0x1\tmain.f+0x1\t/a.go:1\n\n"
    less = text_of({WORK: 7}).replace(b"7", b"-7", 1).replace(b"\n7", b"\n-7")
    delta = Entry(START, "localhost:6060", "goroutine", less, seconds=30)
    page = open_page(*polls(5), Entry(START, "localhost:6060", "heap", heap), delta)
    page.select_option("#series", label="localhost:6060 heap")
    assert page.locator("#growth tr.stack .number").nth(1).inner_text() == "3MB"
    page.select_option("#value", label="alloc_objects")
    assert page.locator("#growth tr.stack .number").nth(1).inner_text() == "3"
    page.select_option("#series", label="localhost:6060 goroutine over 30 s")
    assert page.locator("#growth tr.stack .number").all_inner_texts() == ["0", "−7", "−7", "−840"]  # noqa: RUF001
    tab(page, "flame")
    assert frames(page).keys() == {"all", "main.main", WORK}
    for theme in ("dark", "light"):
        page.click("#theme")
        assert page.evaluate("document.documentElement.dataset.theme") == theme


def test_what_a_target_names_itself_is_shown_and_never_run(open_page: Callable[..., Page]) -> None:
    counts = {name: index + 1 for index, name in enumerate(HOSTILE)}
    page = open_page(*[Entry(START + 10 * i, HOSTILE[i % 2], "goroutine", text_of(counts)) for i in range(6)])
    for name in ("growth", "tree", "flame"):
        tab(page, name)
        settle(page)
        assert HOSTILE[0] in page.content().replace("&lt;", "<").replace("&gt;", ">")
    page.fill("#search", HOSTILE[1])
    page.mouse.move(700, 700)
    settle(page)
    assert page.evaluate("window.ran") is None
    assert page.locator("img, svg[onload], b[onmouseover]").count() == 0
    assert page.locator("script:not([type])").count() == 4
    assert page.title() == "2 targets"


def test_a_large_page_opens_in_time(open_page: Callable[..., Page]) -> None:
    entries = []
    for poll in range(100):
        counts = {f"example.com/app/part{i % 50}.function{i}": (i * 7 + poll) % 100 + 1 for i in range(2000)}
        entries.append(Entry(START + 10 * poll, "localhost:6060", "goroutine", text_of(counts)))
    page = open_page(*entries)
    for name in ("tree", "flame"):
        began = time.monotonic()
        tab(page, name)
        page.wait_for_selector(f"#{name} .row, #{name} g.frame")
        assert time.monotonic() - began < _OPEN
