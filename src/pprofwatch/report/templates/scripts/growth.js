// The table of stacks: what each was, is, and how fast it changed.

const ROWS = 50;
let sortBy = "change";
let rows = ROWS;
const opened = new Set();

function growthRows() {
  const { series } = state;
  const hours = (series.seconds || series.instants[state.b] - series.instants[state.a]) / 3600;
  const found = series.stacks
    .filter((stack) => !state.term || stack.found.includes(state.term))
    .map((stack) => {
      const row = { stack, before: before(stack), after: at(stack, state.b) };
      row.change = row.after - row.before;
      row.rate = hours ? row.change / hours : 0;
      return row;
    })
    .filter((row) => row.before || row.after || state.term);
  return found.sort((x, y) => Math.abs(y[sortBy]) - Math.abs(x[sortBy]) || y.after - x.after);
}

function showGrowth() {
  if (state.tab !== "growth") return;
  const all = growthRows();
  const body = document.querySelector(".growth tbody");
  body.replaceChildren(...all.slice(0, rows).flatMap(growthRow));
  for (const button of document.querySelectorAll("[data-sort]")) {
    button.setAttribute("aria-pressed", String(button.dataset.sort === sortBy));
  }
  const { series } = state;
  byId("growth-more").hidden = all.length <= rows;
  byId("growth-more").textContent = `show ${Math.min(ROWS, all.length - rows)} more of ${all.length - rows}`;
  const left = series.left ? `; ${counted(series.left, "more, the smallest stack")} together are “${OVERVIEW.others}”` : "";
  byId("growth-hint").textContent = `${counted(all.length, "stack")}, ${differenceText()}${left}. Click a row for its lines.`;
  for (const cell of body.querySelectorAll(".spark")) drawSparkline(cell);
}

function growthRow(row) {
  const { stack } = row;
  const number = (value, text, style = "") => element("td", { class: `number ${style}` }, text(value, unit()));
  const place = stack.first.place;
  const made = element("tr", { class: "stack", tabindex: "0", "aria-expanded": String(opened.has(stack)) },
    element("td", {},
      element("div", { class: "function" }, marked(stack.first.function, state.term)),
      element("div", { class: "place", title: place }, marked(shortPlace(place), state.term))),
    element("td", { class: "spark", "data-stack": stack.index }),
    number(row.before, amount), number(row.after, amount),
    number(row.change, change, direction(row.change)), number(row.rate, change, direction(row.rate)));
  const toggle = () => {
    opened.has(stack) ? opened.delete(stack) : opened.add(stack);
    made.setAttribute("aria-expanded", String(opened.has(stack)));
    opened.has(stack) ? made.after(linesOf(stack)) : made.nextSibling.remove();
  };
  made.addEventListener("click", toggle);
  made.addEventListener("keydown", (event) => { if (event.key === "Enter") toggle(); });
  return opened.has(stack) ? [made, linesOf(stack)] : [made];
}

function linesOf(stack) {
  const items = stack.frames
    .filter((frame) => state.runtime || stack.frames.length === 1 || !RUNTIME.test(frame.function))
    .map((frame) => element("li", { class: RUNTIME.test(frame.function) ? "runtime" : undefined },
      element("span", { class: "function" }, marked(frame.function, state.term)), " ",
      element("span", { class: "place" }, marked(frame.place, state.term))));
  if (stack.more) items.push(element("li", {}, `… and ${stack.more} more frames`));
  return element("tr", { class: "lines" }, element("td", { colspan: "6" }, element("ol", { class: "frames" }, ...items)));
}

function drawSparkline(cell) {
  const values = state.series.stacks[Number(cell.dataset.stack)].values[state.value];
  new uPlot({
    width: 130, height: 30, padding: [3, 2, 3, 2],
    cursor: { show: false }, legend: { show: false }, select: { show: false },
    axes: [{ show: false }, { show: false }],
    scales: { x: { time: false }, y: { range: (plot, low, high) => [Math.min(0, low ?? 0), Math.max(1, high ?? 1)] } },
    series: [{}, { stroke: colour("--accent"), fill: colour("--accent-soft"), width: 1.25, points: { show: false } }],
  }, broken(values), cell);
}
