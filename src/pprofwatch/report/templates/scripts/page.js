// The page: what is chosen in it, and who shows it.

function showFacts() {
  const { series } = state;
  const values = series.sums[state.value];
  const first = values[0];
  const last = values[values.length - 1];
  const peak = values.indexOf(Math.max(...values));
  const [start, end] = [series.instants[0], series.instants[values.length - 1]];
  const fact = (title, value, small, style = "") =>
    element("div", { class: "fact" }, element("span", {}, title), element("b", { class: style }, value), element("small", {}, small));
  const bad = [series.failed && `${series.failed} failed`, series.damaged && `${series.damaged} damaged`];
  const kept = values.length < series.entries ? `stacks kept of ${values.length}` : "stacks kept of all";
  byId("facts").replaceChildren(
    fact("entries", series.entries.toLocaleString("en"), [...bad.filter(Boolean), kept].join(", ")),
    fact("from", clock(start), `${day(start)} UTC`),
    fact("to", clock(end), `${day(end)} UTC, ${lasted(end - start)} later`),
    fact(`${series.types[state.value][0]}, last`, amount(last, unit()), `first ${amount(first, unit())}`),
    fact("change", change(last - first, unit()), first > 0 ? `${share(last - first, first)} of the first` : "", direction(last - first)),
    fact("peak", amount(values[peak], unit()), moment(series.instants[peak])),
  );
}

function showNotes() {
  const notes = [...OVERVIEW.notes];
  const { series } = state;
  if (series.damaged) notes.push(`${series.damaged} entries could not be parsed, and are left out.`);
  byId("notes").hidden = !notes.length;
  byId("notes").replaceChildren(...notes.map((note) => element("li", {}, note)));
}

function showIncidents() {
  const all = OVERVIEW.incidents.filter((one) => one.target === state.series.target);
  byId("incidents").hidden = !all.length;
  const rows = all.reverse().map((one) => element("tr", { class: "incident", onclick: () => goTo(one) },
    element("td", {}, element("span", { class: "severity" }, one.severity)),
    element("td", {}, moment(one.since)),
    element("td", {}, one.resolved === null ? "open" : moment(one.resolved)),
    element("td", { class: "number" }, `${amount(one.from, "count")} → ${amount(one.peak, "count")}`),
    element("td", {}, element("div", { class: "function" }, one.function), element("div", { class: "place" }, `${one.profile}  ${one.place}`))));
  byId("incidents").querySelector("tbody").replaceChildren(...rows);
}

/** Look at what an incident was about: its function, from before it began to its end. */
function goTo(incident) {
  const number = OVERVIEW.series.findIndex(([target, profile, seconds]) => target === incident.target && profile === incident.profile && !seconds);
  if (number >= 0 && OVERVIEW.series[number].join() !== [state.series.target, state.series.profile, state.series.seconds].join()) open(number);
  const { series } = state;
  const end = incident.resolved ?? series.instants[series.instants.length - 1];
  byId("search").value = incident.function;
  update({ a: series.nearest(incident.since), b: series.nearest(end), difference: true, term: incident.function.toLowerCase(), tab: "growth" });
}

function showInstants() {
  const { series } = state;
  for (const chooser of document.querySelectorAll(".instant")) {
    const { which } = chooser.dataset;
    const slider = chooser.querySelector("input");
    slider.max = series.instants.length - 1;
    slider.value = state[which];
    chooser.querySelector("output").textContent = moment(series.instants[state[which]]);
  }
  document.querySelector('[data-go="restart"]').hidden = !series.restarts.length;
}

function instantFor(name) {
  const { series } = state;
  const values = series.sums[state.value];
  if (name === "first") return 0;
  if (name === "last") return values.length - 1;
  if (name === "peak") return values.indexOf(Math.max(...values));
  const restart = series.restarts[series.restarts.length - 1];
  return Math.max(0, series.instants.findIndex((time) => time >= restart));
}

function showChoices() {
  const { series } = state;
  const value = byId("value");
  value.replaceChildren(...series.types.map(([name], i) => element("option", { value: i }, name)));
  value.value = state.value;
  byId("value-field").hidden = series.types.length < 2;
}

function showTabs() {
  for (const tab of document.querySelectorAll("[data-tab]")) {
    tab.setAttribute("aria-selected", String(tab.dataset.tab === state.tab));
    byId(tab.dataset.tab).hidden = tab.dataset.tab !== state.tab;
  }
  for (const name of ["difference", "inverted", "runtime"]) byId(name).checked = state[name];
  const isDelta = state.series.seconds > 0;
  document.querySelector(".instant[data-which=a]").hidden = isDelta;
  byId("difference").parentNode.hidden = isDelta || state.tab === "growth";
  byId("inverted").parentNode.hidden = state.tab === "growth";
}

const decoded = new Map();

function open(number) {
  if (!decoded.has(number)) decoded.set(number, new Series(number));
  const series = decoded.get(number);
  state.series = null;  // so that it counts as changed, whatever else has
  const last = series.instants.length - 1;
  const restart = series.restarts[series.restarts.length - 1];
  const since = restart === undefined ? 0 : Math.max(0, series.instants.findIndex((time) => time >= restart));
  byId("series").value = number;
  Object.assign(state, { value: series.value, a: Math.min(since, last), b: last });
  opened.clear();
  rows = ROWS;
  update({ series });
}

const soon = (work, delay) => {
  let waiting;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(work, delay);
  };
};

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  if (!state.series) return;
  drawTimeline();
  showMarks();
  showGrowth();
  showFlame();
}

function start() {
  onChange(["series", "value"], showFacts);
  onChange(["series"], showNotes);
  onChange(["series"], showIncidents);
  onChange(["series", "value"], showChoices);
  onChange(["series", "a", "b"], showInstants);
  onChange(["series", "tab", "difference", "inverted", "runtime"], showTabs);
  onChange(["series", "value"], drawTimeline);
  onChange(["series"], showMarks);
  onChange(["a", "b", "difference"], () => timeline.redraw(false, false));
  onChange(["series", "value", "a", "b", "term", "tab", "runtime"], showGrowth);
  onChange(["series", "value", "a", "b", "term", "tab", "difference", "inverted", "runtime"], showTree);
  onChange(["series", "value", "a", "b", "tab", "difference", "inverted", "runtime"], showFlame);
  onChange(["term"], searchFlame);

  const name = ([target, profile, seconds]) => `${target} ${profile}${seconds ? ` over ${seconds} s` : ""}`.trim();
  byId("series").append(...OVERVIEW.series.map((one, i) => element("option", { value: i }, name(one))));
  byId("series").addEventListener("change", (event) => open(Number(event.target.value)));
  byId("value").addEventListener("change", (event) => update({ value: Number(event.target.value) }));
  byId("search").addEventListener("input", soon(() => update({ term: byId("search").value.trim().toLowerCase() }), 120));
  byId("zoom-out").addEventListener("click", zoomOut);
  for (const tab of document.querySelectorAll("[data-tab]")) tab.addEventListener("click", () => update({ tab: tab.dataset.tab }));
  for (const key of ["difference", "inverted", "runtime"]) byId(key).addEventListener("change", (event) => update({ [key]: event.target.checked }));
  for (const chooser of document.querySelectorAll(".instant")) {
    const { which } = chooser.dataset;
    const slider = chooser.querySelector("input");
    const choose = (instant) => update({ [which]: Math.max(0, Math.min(Number(slider.max), instant)) });
    slider.addEventListener("input", soon(() => choose(Number(slider.value)), 30));
    for (const button of chooser.querySelectorAll("button")) {
      const { step, go } = button.dataset;
      button.addEventListener("click", () => choose(go ? instantFor(go) : state[which] + Number(step)));
    }
  }
  for (const button of document.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => { sortBy = button.dataset.sort; showGrowth(); });
  }
  byId("growth-more").addEventListener("click", () => { rows += ROWS; showGrowth(); });
  byId("tree-hot").addEventListener("click", openLargest);
  byId("tree-close").addEventListener("click", () => { tree = null; showTree(); });
  byId("flame-reset").addEventListener("click", () => { if (flame) flame.resetZoom(); });
  byId("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  window.addEventListener("resize", soon(() => { drawTimeline(); showFlame(); }, 150));

  setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  open(0);
}

start();
