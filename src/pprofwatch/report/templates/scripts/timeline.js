// The timeline: uPlot draws the lines, zooms and follows the pointer; holes, restarts and incidents are drawn into it.

const LINES = 8;
const PALETTE = ["#2f80ed", "#eb5757", "#27ae60", "#f2994a", "#9b51e0", "#12b5cb", "#d6589f", "#a3861e"];

// Labels of the time axis: from so many seconds a step, this, and this where a day begins.
const DAY = "{YYYY}-{MM}-{DD}";
const TICKS = [[86400, DAY], [60, "{HH}:{mm}"], [1, "{HH}:{mm}:{ss}"], [0.001, "{HH}:{mm}:{ss}.{fff}"]].map(
  ([step, form]) => (form === DAY ? [step, DAY, ...Array(6).fill(null), 1] : [step, form, `\n${DAY}`, null, `\n${DAY}`, null, null, null, 1]));

const POWERS_OF_2 = Array.from({ length: 53 }, (_, power) => 2 ** power);

let timeline = null;

/** The stacks that matter: those that are, or have changed, most. */
function mainStacks() {
  const weight = (stack) => {
    const values = stack.values[state.value];
    let low = Infinity;
    let high = -Infinity;
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return Math.max(high, -low) + 2 * (high - low);
  };
  const others = OVERVIEW.others;
  return state.series.stacks
    .filter((stack) => stack.first.function !== others)
    .map((stack) => [weight(stack), stack])
    .sort((x, y) => y[0] - x[0])
    .slice(0, LINES)
    .map((pair) => pair[1]);
}

/** Names for lines: a function, and who calls it where several stacks have the same. */
function lineNames(stacks) {
  const names = stacks.map((stack) => stack.first.function);
  return stacks.map((stack, i) => {
    const caller = stack.frames[stack.frames.indexOf(stack.first) + 1];
    const isAmbiguous = names.indexOf(names[i]) !== names.lastIndexOf(names[i]);
    return isAmbiguous && caller ? `${names[i]} ← ${caller.function}` : names[i];
  });
}

/** Values at the instants, with a break where a hole lies between two of them. */
function broken(values) {
  const { instants, holes } = state.series;
  const xs = [];
  const ys = [];
  let hole = 0;
  instants.forEach((time, i) => {
    let gap = false;
    while (hole < holes.length && holes[hole][1] <= time) gap = holes[hole++][0] >= (instants[i - 1] ?? time) || gap;
    if (gap && i) {
      xs.push((instants[i - 1] + time) / 2);
      ys.push(null);
    }
    xs.push(time);
    ys.push(values[i]);
  });
  return [xs, ys];
}

/** A line with the time of the polls that failed before it, and after it, on its axis. */
function withHoles([xs, ys]) {
  const { holes } = state.series;
  if (!holes.length) return [xs, ys];
  const before = holes[0][0] < xs[0] ? [holes[0][0]] : [];
  const after = holes[holes.length - 1][1] > xs[xs.length - 1] ? [holes[holes.length - 1][1]] : [];
  return [[...before, ...xs, ...after], [...before.map(() => null), ...ys, ...after.map(() => null)]];
}

function timelineData(stacks) {
  const { series } = state;
  const total = withHoles(series.totals[0].length ? series.totals : broken(series.sums[state.value]));
  const tables = [total, ...stacks.map((stack) => broken(stack.values[state.value]))];
  const joined = uPlot.join(tables, tables.map((table) => table.map(() => 1)));
  joined.slice(1).forEach(widenBreaks);
  return joined;
}

/** Where lines are joined, one has no value at another's times: after a break, that is the break going on. */
function widenBreaks(values) {
  let isBroken = false;
  values.forEach((value, i) => {
    if (value === undefined) values[i] = isBroken ? null : undefined;
    else isBroken = value === null;
  });
}

/** The point with a value that is nearest to the pointer: not each time has one in each line. */
function nearestIndex(plot, line, index) {
  const values = plot.data[line];
  for (let away = 0; away < 60; away++) {
    if (values[index - away] != null) return index - away;
    if (values[index + away] != null) return index + away;
  }
  return index;
}

function line(plot, time, style, dash, width = 1) {
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(time, "x", true));
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  ctx.save();
  ctx.strokeStyle = style;
  ctx.lineWidth = width * devicePixelRatio;
  ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

function shade(plot, since, until, style) {
  const { ctx, bbox } = plot;
  const left = Math.max(plot.valToPos(since, "x", true), bbox.left);
  const right = Math.min(plot.valToPos(until, "x", true), bbox.left + bbox.width);
  if (right < left) return;
  ctx.save();
  ctx.fillStyle = style;
  ctx.fillRect(left, bbox.top, Math.max(right - left, devicePixelRatio), bbox.height);
  ctx.restore();
}

function drawBehind(plot) {
  for (const [since, until] of state.series.holes) shade(plot, since, until, "rgba(130, 140, 160, 0.18)");
  for (const incident of seriesIncidents()) {
    shade(plot, incident.since, incident.resolved ?? plot.scales.x.max, "rgba(220, 60, 80, 0.07)");
  }
}

function drawInFront(plot) {
  for (const time of state.series.restarts) line(plot, time, "#9b51e0", [5, 4], 1.5);
  for (const incident of seriesIncidents()) line(plot, incident.opened, colour("--grown"), [2, 3], 1.5);
  if (state.difference) line(plot, state.series.instants[state.a], colour("--faint"), [], 1.5);
  line(plot, state.series.instants[state.b], colour("--accent"), [], 1.5);
}

const seriesIncidents = () =>
  OVERVIEW.incidents.filter((one) => one.target === state.series.target && one.profile === state.series.profile);

function drawTimeline() {
  const holder = byId("timeline");
  const kept = timeline && timeline.kept === state.series ? [timeline.scales.x.min, timeline.scales.x.max] : null;
  if (timeline) timeline.destroy();
  const stacks = mainStacks();
  const names = lineNames(stacks);
  const show = (plot, value) => (value === null || value === undefined ? "–" : amount(value, unit()));
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const options = {
    width: holder.clientWidth,
    height: 300,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    cursor: { dataIdx: nearestIndex, drag: { x: true, y: false }, points: { size: 6 } },
    legend: { live: true },
    scales: { y: { range: (plot, low, high) => [Math.min(0, low ?? 0), Math.max(1, (high ?? 1) * 1.05)] } },
    axes: [{ ...axis, values: TICKS }, { ...axis, size: 70, incrs: unit() === "bytes" ? POWERS_OF_2 : undefined, values: (plot, ticks) => ticks.map((tick) => amount(tick, unit())) }],
    series: [
      { label: "time", value: (plot, seconds) => (seconds ? moment(seconds) : "–") },
      { label: "total", stroke: colour("--total"), width: 2, value: show, points: { show: false } },
      ...stacks.map((stack, i) => ({
        label: names[i], stroke: PALETTE[i], width: 1.5, value: show, points: { show: false },
      })),
    ],
    hooks: {
      drawAxes: [drawBehind],
      draw: [drawInFront],
      setScale: [(plot) => { byId("zoom-out").hidden = !isZoomed(plot); }],
    },
  };
  timeline = new uPlot(options, timelineData(stacks), holder);
  timeline.kept = state.series;
  if (kept && kept[0] !== null) timeline.setScale("x", { min: kept[0], max: kept[1] });
  timeline.over.addEventListener("click", choose);
}

function isZoomed(plot) {
  const xs = plot.data[0];
  return plot.scales.x.min > xs[0] || plot.scales.x.max < xs[xs.length - 1];
}

function zoomOut() {
  const xs = timeline.data[0];
  timeline.setScale("x", { min: xs[0], max: xs[xs.length - 1] });
}

let pressedAt = 0;
document.addEventListener("mousedown", (event) => { pressedAt = event.clientX; }, true);

/** A click, but not the end of a drag, chooses an instant. */
function choose(event) {
  if (Math.abs(event.clientX - pressedAt) > 3) return;
  const instant = state.series.nearest(timeline.posToVal(event.offsetX, "x"));
  update(event.shiftKey ? { a: instant, difference: true } : { b: instant });
}

function showMarks() {
  const { series } = state;
  const marks = [];
  const add = (background, text) => {
    const made = element("span", {}, element("i"), text);
    made.firstChild.style.background = background;
    marks.push(made);
  };
  if (series.holes.length) add("rgba(130, 140, 160, 0.4)", `${series.holes.length} × nothing known: ${holesText(series.holes)}`);
  if (series.restarts.length) add("#9b51e0", `${series.restarts.length} × restart: ${series.restarts.slice(-3).map(moment).join(", ")}`);
  const incidents = seriesIncidents();
  if (incidents.length) add(colour("--grown"), `${incidents.length} × incident`);
  byId("marks").replaceChildren(...marks);
}

function holesText(holes) {
  const longest = [...holes].sort((x, y) => y[1] - y[0] - (x[1] - x[0]))[0];
  const reason = longest[2] ? ` (${longest[2]})` : "";
  return `${holes.length > 1 ? "the longest " : ""}${lasted(longest[1] - longest[0])} from ${moment(longest[0])}${reason}`;
}
