// The call graph as a tree of rows, made as they are opened.

const MOST_CHILDREN = 100;
const MOST_MATCHES = 200;
/** Children with less than this share of everything are one row until it is opened. */
const SMALL = 0.001;

let tree = null;

function showTree() {
  if (state.tab !== "tree") return;
  const open = tree && tree.of === state.series && tree.graphName === graphName() ? tree.open : new Set([0]);
  tree = { ...sums(), open, of: state.series, graphName: graphName(), matches: new Set() };
  if (state.term) openMatches();
  const titles = ["at the instant", "", "own", "change", state.inverted ? "function, and who calls it" : "function, and what it calls"];
  const columns = element("div", { class: "columns" }, ...titles.map((title, i) => element("span", { class: i < 4 ? "number" : "" }, title)));
  document.querySelector(".tree").replaceChildren(columns, branch(0, 0));
  const { graph } = tree;
  const folded = graph.folded ? `; “${OVERVIEW.folded}” is where ${counted(graph.folded, "stack")} went on: too deep or too small to show` : "";
  const found = state.term ? `; ${tree.matches.size}${tree.matches.size === MOST_MATCHES ? " or more" : ""} found` : "";
  byId("tree-hint").textContent = `${differenceText()}${folded}${found}`;
}

const weight = (node) => (isDifference() ? Math.abs(tree.now[node] - tree.then[node]) : tree.now[node]);

/** The children that hold anything, the largest first. */
function shown(node) {
  return tree.graph.children[node]
    .filter((child) => tree.now[child] || tree.then[child])
    .sort((x, y) => weight(y) - weight(x) || tree.now[y] - tree.now[x]);
}

function ownOf(node) {
  return tree.graph.children[node].reduce((rest, child) => rest - tree.now[child], tree.now[node]);
}

/** A node's row, and the rows below it where it is open. */
function branch(node, depth) {
  const made = element("div", { class: "branch" }, row(node, depth));
  if (tree.open.has(node)) made.append(...below(node, depth + 1));
  return made;
}

function below(node, depth) {
  const children = shown(node);
  const whole = Math.max(Math.abs(tree.now[0]), Math.abs(tree.then[0]), 1);
  const isLarge = (child, i) =>
    i < MOST_CHILDREN && (i < 3 || weight(child) >= whole * SMALL || tree.open.has(child) || tree.matches.has(child));
  const large = children.filter(isLarge);
  const small = children.filter((child, i) => !isLarge(child, i));
  const made = large.map((child) => branch(child, depth));
  if (small.length) made.push(smallRow(small, depth));
  return made;
}

function smallRow(small, depth) {
  const sum = (values) => small.reduce((all, child) => all + values[child], 0);
  const button = element("button", { type: "button" }, `${small.length} smaller`);
  const made = cells(sum(tree.now), "", sum(tree.now) - sum(tree.then), depth, element("span", { class: "toggle" }), button);
  button.addEventListener("click", () => {
    const next = small.splice(0, MOST_CHILDREN).map((child) => branch(child, depth));
    if (small.length) next.push(smallRow(small, depth));
    made.replaceWith(...next);
  });
  return made;
}

function row(node, depth) {
  const { graph } = tree;
  const isLeaf = !shown(node).length;
  const name = node ? graph.functions[node] : "all";
  const toggle = element("button", { type: "button", class: "toggle", "aria-expanded": String(tree.open.has(node)), "aria-label": "expand" },
    isLeaf ? "·" : tree.open.has(node) ? "▾" : "▸");
  const places = graph.places[node];
  const made = cells(tree.now[node], ownOf(node), tree.now[node] - tree.then[node], depth, toggle,
    element("span", { class: name === OVERVIEW.folded || !node ? "function folded" : "function" }, marked(name, state.term)),
    element("span", { class: "place", title: places.join("\n") }, marked(places.map(shortPlace).join(", "), state.term)));
  made.classList.toggle("runtime", RUNTIME.test(name));
  made.dataset.node = node;
  if (!isLeaf) {
    made.addEventListener("click", () => {
      const parent = made.parentNode;
      if (tree.open.delete(node)) parent.replaceWith(branch(node, depth));
      else openFrom(node, parent, depth);
    });
  }
  return made;
}

/** Open a node, and below it whatever leads on without a choice. */
function openFrom(node, place, depth) {
  let last = node;
  for (let steps = 0; steps < 200; steps++) {
    tree.open.add(last);
    const children = shown(last);
    if (children.length !== 1) break;
    [last] = children;
  }
  place.replaceWith(branch(node, depth));
}

function cells(now, own, changed, depth, toggle, ...name) {
  const whole = tree.now[0] || 1;
  const bar = element("span", { class: "number count" }, amount(now, unit()));
  bar.style.setProperty("--share", `${Math.min(100, Math.max(0, (100 * now) / whole))}%`);
  const made = element("div", { class: "row", role: "treeitem" }, bar,
    element("span", { class: "number" }, share(now, whole)),
    element("span", { class: "number own" }, own ? amount(own, unit()) : ""),
    element("span", { class: `number ${direction(changed)}` }, changed ? change(changed, unit()) : ""),
    element("span", { class: "name" }, toggle, ...name));
  made.lastChild.style.setProperty("--depth", depth);
  return made;
}

function openMatches() {
  const { graph, matches } = tree;
  for (let node = 1; node < graph.parents.length && matches.size < MOST_MATCHES; node++) {
    const text = `${graph.functions[node]}\n${graph.places[node].join("\n")}`.toLowerCase();
    if (!text.includes(state.term) || !(tree.now[node] || tree.then[node])) continue;
    matches.add(node);
    for (let above = node; above; above = graph.parents[above]) {
      if (above !== node) tree.open.add(above);
      matches.add(above);
    }
  }
}

function openLargest() {
  let node = 0;
  for (let steps = 0; steps < 400; steps++) {
    tree.open.add(node);
    const [largest] = shown(node);
    if (largest === undefined) break;
    node = largest;
  }
  showTree();
}
