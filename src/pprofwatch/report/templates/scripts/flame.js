// The flame graph, which d3-flame-graph draws: of an instant, or of the difference between two.

let flame = null;

function flameNodes(root) {
  const { graph, now, then, wide } = root;
  const make = (node) => ({
    name: node ? graph.functions[node] : "all",
    value: wide[node],
    node,
    children: [],
  });
  const made = [make(0)];
  for (let node = 1; node < graph.parents.length; node++) {
    if (!wide[node]) continue;
    made[node] = make(node);
    made[graph.parents[node]].children.push(made[node]);
  }
  for (const one of made) {
    if (one) one.children.sort((x, y) => (x.name < y.name ? -1 : 1));
  }
  return made[0];
}

function mixed(from, to, part) {
  return `rgb(${from.map((value, i) => Math.round(value + (to[i] - value) * part)).join(" ")})`;
}

/** The same package has the same colour; what the runtime does is grey. */
function packageColour(name) {
  if (name === "all" || name === OVERVIEW.folded || name === OVERVIEW.others) return "rgb(203 209 220)";
  if (RUNTIME.test(name)) return "rgb(186 194 208)";
  const home = name.replace(/[([].*$/s, "").replace(/(\/[^./]*|^[^./]*)\..*$/s, "$1");
  let hash = 7;
  for (const char of home) hash = (hash * 31 + char.charCodeAt(0)) % 997;
  return `hsl(${18 + (hash % 42)} ${62 + (hash % 5) * 6}% ${66 + (hash % 4) * 3}%)`;
}

function frameColour(root, d) {
  if (d.highlight) return "rgb(255 214 64)";
  const { node, name } = d.data;
  if (!isDifference()) return packageColour(name);
  const changed = root.now[node] - root.then[node];
  const part = root.wide[node] ? Math.abs(changed) / root.wide[node] : 0;
  const strength = changed ? 0.1 + 0.9 * Math.min(1, part) ** 0.7 : 0;
  const unchanged = document.documentElement.dataset.theme === "dark" ? [170, 178, 194] : [222, 226, 233];
  return mixed(unchanged, changed > 0 ? [235, 77, 92] : [74, 137, 232], strength);
}

function frameText(root, d) {
  const { node, name } = d.data;
  const of = `${amount(root.now[node], unit())} (${share(root.now[node], root.now[0])})`;
  const was = isDifference() ? `, ${change(root.now[node] - root.then[node], unit())} since before` : "";
  const places = root.graph.places[node];
  return `${name}: ${of}${was}${places.length ? `  ${places.join(", ")}` : ""}`;
}

function showFlame() {
  if (state.tab !== "flame") return;
  const holder = byId("flame-chart");
  holder.replaceChildren();
  const root = sums();
  const { series } = state;
  byId("flame-hint").textContent = isDifference()
    ? `${differenceText()}: red has grown, blue has shrunk; a frame is as wide as it was at its larger`
    : `${moment(series.instants[state.b])}: a frame is as wide as what is in it and what it calls; click to zoom`;
  byId("flame-details").textContent = "\u00a0";
  if (!root.wide[0]) {
    flame = null;
    holder.append(element("p", { class: "hint" }, "Nothing at this instant."));
    return;
  }
  flame = flamegraph.default()
    .width(holder.clientWidth)
    .cellHeight(20)
    .inverted(true)
    .minFrameSize(1)
    .transitionDuration(matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 150)
    .setDetailsElement(byId("flame-details"))
    .setSearchHandler((results, sum, whole) => showFound(results, sum, whole))
    .setSearchMatch((d, term) => `${d.data.name}\n${root.graph.places[d.data.node].join("\n")}`.toLowerCase().includes(term))
    .setColorMapper((d) => frameColour(root, d))
    .label((d) => frameText(root, d));
  d3.select(holder).datum(flameNodes(root)).call(flame);
  searchFlame();
}

function showFound(results, sum, whole) {
  byId("flame-details").textContent = `${counted(results.length, "frame")} found, in ${amount(sum, unit())} (${share(sum, whole)})`;
}

function searchFlame() {
  if (!flame) return;
  if (state.term) flame.search(state.term);
  else flame.clear();
}
