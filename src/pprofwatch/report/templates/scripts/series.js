// The data of one recording, decoded: see report/page.py, which makes it.

const OVERVIEW = JSON.parse(byId("data-0").textContent);
const RUNTIME = /^(runtime\.|internal\/runtime\/)/;

const numbers = (text) => (text === "" ? [] : text.split(" ").map(Number));

function cumulated(text) {
  const values = Float64Array.from(numbers(text));
  for (let i = 1; i < values.length; i++) values[i] += values[i - 1];
  return values;
}

class Series {
  constructor(number) {
    const raw = JSON.parse(byId(`data-${number + 1}`).textContent);
    Object.assign(this, raw);
    this.stacks = raw.stacks.map((stack, index) => this.stack(stack, index));
    this.decoded = new Map();
  }

  stack(raw, index) {
    const ids = numbers(raw.frames);
    const frames = [];
    for (let i = 0; i < ids.length; i += 2) {
      frames.push({ function: this.texts[ids[i]], place: this.texts[ids[i + 1]] });
    }
    const found = frames.map((frame) => `${frame.function}\n${frame.place}`).join("\n").toLowerCase();
    return { index, frames, more: raw.more, first: frames[raw.first], found, values: raw.values.map(cumulated) };
  }

  /** The call graph of a kind: ids of nodes are their indexes, a parent's is less than its children's. */
  graph(name) {
    if (!this.decoded.has(name)) {
      const raw = this.graphs[name];
      const parents = numbers(raw.parents);
      const children = parents.map(() => []);
      for (let node = 1; node < parents.length; node++) children[parents[node]].push(node);
      this.decoded.set(name, {
        parents,
        children,
        functions: numbers(raw.functions).map((id) => this.texts[id]),
        places: raw.places.split(" ").map((ids) => (ids ? ids.split(",").map((id) => this.texts[id]) : [])),
        ends: numbers(raw.ends),
        folded: raw.folded,
      });
    }
    return this.decoded.get(name);
  }

  /** The instant that is nearest to a time. */
  nearest(time) {
    let best = 0;
    this.instants.forEach((at, i) => {
      if (Math.abs(at - time) < Math.abs(this.instants[best] - time)) best = i;
    });
    return best;
  }
}

/** The sum under each node, of a value a stack, as CallGraph.cumulate in report/callgraph.py. */
function cumulate(graph, values) {
  const sums = new Float64Array(graph.parents.length);
  graph.ends.forEach((end, stack) => { sums[end] += values[stack]; });
  for (let node = sums.length - 1; node > 0; node--) sums[graph.parents[node]] += sums[node];
  return sums;
}

/** What is looked at; whoever shows it registers with `onChange`, by what they depend on. */
const state = {
  series: null, value: 0, a: 0, b: 0, tab: "growth", term: "", difference: false, inverted: false, runtime: false,
};
const listeners = [];
const onChange = (keys, listener) => listeners.push({ keys, listener });

function update(changes) {
  const changed = Object.keys(changes).filter((key) => state[key] !== changes[key]);
  Object.assign(state, changes);
  for (const { keys, listener } of listeners) {
    if (changed.some((key) => keys.includes(key))) listener();
  }
}

const unit = () => state.series.types[state.value][1];
const at = (stack, instant) => stack.values[state.value][instant];
/** A series of differences is looked at as such. */
const isDifference = () => state.difference || state.series.seconds > 0;
const before = (stack) => (state.series.seconds > 0 ? 0 : at(stack, state.a));
const graphName = () => (state.inverted ? "inverted" : "direct") + (state.runtime ? "-runtime" : "");

/** What a difference is between, in words. */
function differenceText() {
  const { series, a, b } = state;
  if (series.seconds) return `what changed in ${series.seconds} s from ${moment(series.instants[b])} on`;
  return `${moment(series.instants[b])} compared with ${moment(series.instants[a])}`;
}

/** The call graph that is shown, with each node's sums: at the instant, before, and what it is as wide as. */
function sums() {
  const { series } = state;
  const graph = series.graph(graphName());
  const now = series.stacks.map((stack) => at(stack, state.b));
  const then = series.stacks.map(before);
  const wide = isDifference()
    ? now.map((value, i) => Math.max(Math.abs(value), Math.abs(then[i])))
    : now.map((value) => Math.max(value, 0));
  return { graph, now: cumulate(graph, now), then: cumulate(graph, then), wide: cumulate(graph, wide) };
}
