// The results explorer: dropkit/study/measures.py again, in the reader's browser, drawn by Plot.
// Numbers agree with the Python (tests/figures/test_results_explorer.py).

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => sum(values) / values.length;

// Numbers of one run, from its recalls; in %.
const MEASURES = {
  average: { name: "average accuracy", of: (r) => 100 * mean(r) },
  worst: { name: "worst class, per seed", of: (r) => 100 * Math.min(...r) },
  pooled: { name: "worst class, pooled" },
  tenth: {
    name: "lowest tenth of classes",
    of: (r) => 100 * mean([...r].sort((a, b) => a - b).slice(0, Math.ceil(r.length / 10))),
  },
  gap: { name: "gap of recalls", of: (r) => 100 * (Math.max(...r) - Math.min(...r)) },
  std: {
    name: "std of recalls",
    of: (r) => 100 * Math.sqrt(mean(r.map((value) => (value - mean(r)) ** 2))),
  },
};

// Mean with Student's 95 % interval; quantiles by the number of values.
function student(values, quantiles) {
  const value = mean(values), n = values.length;
  if (n < 2) return { value, low: NaN, high: NaN };
  const spread = Math.sqrt(sum(values.map((each) => (each - value) ** 2)) / (n - 1));
  const half = (quantiles[n] * spread) / Math.sqrt(n);
  return { value, low: value - half, high: value + half };
}

const columns = (rows) => rows[0].map((_, k) => mean(rows.map((row) => row[k])));
const pooledWorst = (rows) => 100 * Math.min(...columns(rows));

// First less second, paired by seed; first alone where there is no second. The pooled worst class
// has the jackknife's interval below ten seeds; above, the Python draws a bootstrap: none here.
function difference(first, second, measure, quantiles) {
  if (measure !== "pooled") {
    const of = MEASURES[measure].of;
    return student(first.map((row, i) => of(row) - (second ? of(second[i]) : 0)), quantiles);
  }
  const statistic = (keep) =>
    pooledWorst(first.filter(keep)) - (second ? pooledWorst(second.filter(keep)) : 0);
  const n = first.length, value = statistic(() => true);
  if (n < 2 || n >= 10) return { value, low: NaN, high: NaN };
  const pseudo = first.map((_, out) => n * value - (n - 1) * statistic((_, i) => i !== out));
  const { value: centre, low, high } = student(pseudo, quantiles);
  return { value, low: value + low - centre, high: value + high - centre };
}

function number(value, sign = false) {
  if (Number.isNaN(value)) return "–";
  const text = value.toFixed(1).replace(/^-(0\.0)$/, "$1");
  return (sign && !text.startsWith("-") ? "+" : "") + text.replace("-", "−");
}

function withInterval({ value, low, high }, sign = false) {
  const ends = Number.isNaN(low) ? "" : ` [${number(low, sign)}, ${number(high, sign)}]`;
  return number(value, sign) + ends;
}

// Recalls by seed of a cell, from counts of right answers.
function recallsOf(set, cell) {
  const all = cell.seeds.map((seed, i) => {
    const sizes = set.tests.length > 1 ? set.tests[seed] : set.tests[0];
    return [seed, cell.right[i].map((count, k) => count / sizes[k])];
  });
  return new Map(all);
}

// Recalls of the seeds that two cells share, in one order.
function paired(set, cell, other) {
  const first = recallsOf(set, cell), second = recallsOf(set, other);
  const seeds = [...first.keys()].filter((seed) => second.has(seed)).sort((a, b) => a - b);
  return [seeds.map((seed) => first.get(seed)), seeds.map((seed) => second.get(seed))];
}

const at = (set, label, density) =>
  set.cells.find((c) => c.label === label && c.density === density)
  ?? set.cells.find((c) => c.label === label && c.density === 1);

// Every estimate of a selection: a row for each label and density, with what is subtracted.
function estimates(data, state) {
  const set = data.sets[state.set];
  return set.cells.filter((cell) => state.labels.includes(cell.label)).map((cell) => {
    const base = at(set, state.against, cell.density);
    const rows = [...recallsOf(set, cell).values()];
    const pair = base && base !== cell ? paired(set, cell, base) : [[], []];
    const found = (measure) => difference(rows, null, measure, data.quantiles);
    return {
      cell, label: cell.label, name: data.names[cell.label], colour: data.colours[cell.label],
      density: cell.density, seeds: rows.length, average: found("average").value,
      found: found(state.measure),
      apart: pair[0].length ? difference(...pair, state.measure, data.quantiles) : null,
    };
  });
}

function csv(data, state) {
  const set = data.sets[state.set];
  const head = "data,label,density,seeds,measure,value,low,high,minus,difference,low,high";
  const cells = (found) => (found
    ? [found.value, found.low, found.high].map((v) => (Number.isNaN(v) ? "" : v.toFixed(4)))
    : ["", "", ""]);
  const quoted = (text) => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [head, ...estimates(data, state).map((row) => [
    quoted(set.title), quoted(row.label), row.density, row.seeds, state.measure, ...cells(row.found),
    quoted(state.against), ...cells(row.apart),
  ].join(","))].join("\n") + "\n";
}

// The command that makes the selection again; what chapters have no name for is left out.
function command(data, state) {
  const set = data.sets[state.set];
  const cells = set.cells.filter((c) => c.plain && state.labels.includes(c.label));
  const pruned = cells.filter((cell) => cell.density < 1);
  const densities = [...new Set(pruned.map((cell) => cell.density))].sort();
  const protocols = [...new Set(pruned.map((cell) => cell.label))];
  const seeds = Math.max(...set.cells.map((cell) => cell.seeds.length));
  const tail = set.imbalance !== 1;
  const own = tail ? `imbalances: [${set.imbalance}.0]` : "strategies: [], smoothing: 0";
  return `.venv/bin/papermill notebooks/${tail ? "05-imbalance" : "03-drop"}.ipynb out.ipynb -y `
    + `"{scale: ${set.scale}, dataset: ${set.dataset}, model: ${set.model}, `
    + `protocols: [${protocols.join(", ")}], densities: [${densities.join(", ")}], `
    + `seeds: ${seeds}, ${own}}"`;
}

function startResults(root) {
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const form = root.querySelector("form"), says = root.querySelector(".dk-says");
  const pick = (name) => form.elements[name];
  const fill = (name, pairs) => pick(name).replaceChildren(
    ...pairs.map(([value, text]) => new Option(text, value)));
  const labelsOf = (set) => [...new Set(set.cells.map((cell) => cell.label))];
  const densitiesOf = (set) => [...new Set(set.cells.map((c) => c.density))]
    .filter((d) => d < 1).sort((a, b) => a - b);
  const START = { set: data.sets[0].id, measure: "worst", density: "0.5", against: "full",
    one: "random+drop", across: "average", labels: data.start.join("|") };
  let drawn = "";

  fill("set", data.sets.map((set) => [set.id, set.title]));
  fill("measure", Object.entries(MEASURES).map(([key, { name }]) => [key, name]));
  fill("across", [["average", "average accuracy"], ["density", "share kept"]]);

  // Put a state into the form; what its data set lacks becomes what the set has.
  function show(wanted) {
    const given = { ...START, ...wanted };
    pick("set").value = given.set;
    if (!pick("set").value) pick("set").value = START.set;
    const set = data.sets[pick("set").selectedIndex], labels = labelsOf(set);
    const named = (list) => list.map((label) => [label, data.names[label]]);
    fill("against", named(labels));
    fill("one", named(labels.filter((label) => label !== "full")));
    fill("density", densitiesOf(set).map((d) => [String(d), `${d} of the data`]));
    for (const name of ["measure", "across", "against", "one", "density"]) {
      pick(name).value = given[name];
      if (!pick(name).value) pick(name).value = START[name];
      if (!pick(name).value) pick(name).selectedIndex = 0;
    }
    const chosen = given.labels.split("|");
    root.querySelector(".dk-labels").replaceChildren(...labels.map((label) => {
      const box = document.createElement("label"), input = document.createElement("input");
      const swatch = document.createElement("i");
      Object.assign(input, { type: "checkbox", name: "label", value: label });
      input.checked = chosen.includes(label);
      swatch.style.background = data.colours[label];
      box.append(input, swatch, data.names[label]);
      return box;
    }));
    draw();
  }

  function stateOf() {
    const boxes = [...root.querySelectorAll("input[name='label']:checked")];
    return {
      set: pick("set").selectedIndex, measure: pick("measure").value,
      density: Number(pick("density").value), against: pick("against").value,
      one: pick("one").value, across: pick("across").value, labels: boxes.map((box) => box.value),
    };
  }

  function address(state) {
    const plain = { ...state, set: data.sets[state.set].id, labels: state.labels.join("|") };
    return "#" + new URLSearchParams(plain);
  }

  function fromAddress() {
    const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    return given.set ? given : null;
  }

  function draw() {
    const state = stateOf(), rows = estimates(data, state);
    const hash = address(state);
    if (drawn && hash !== drawn) history.replaceState(null, "", hash);
    drawn = hash;
    root.querySelector(".dk-command").textContent = command(data, state);
    table(state, rows);
    const views = { plane: plane(state, rows), forest: forest(state, rows), classes: classes(state) };
    for (const [name, parts] of Object.entries(views)) {
      root.querySelector(`.dk-${name}`).replaceChildren(...parts);
    }
  }

  const wide = () => Math.max(280, Math.min(root.clientWidth, 760));
  function plot(label, options) {
    const svg = Plot.plot({
      width: wide(), ariaLabel: label, color: { type: "identity" },
      style: { background: "none", overflow: "visible" }, ...options,
    });
    svg.setAttribute("role", "img");
    // Plot names its groups, which only a role allows.
    for (const group of svg.querySelectorAll("g[aria-label]")) group.setAttribute("role", "group");
    return svg;
  }
  const title = (row) =>
    `${row.name}, ${row.density === 1 ? "all data" : `${row.density} kept`}\n`
    + `${withInterval(row.found)} %\naverage ${number(row.average)} %, ${row.seeds} seeds`;

  function plane(state, rows) {
    const density = state.across === "density" || state.measure === "average";
    const x = density ? "density" : "average";
    const y = (row) => row.found.value;
    const pruned = rows.filter((row) => row.density < 1), whole = rows.filter((r) => r.density === 1);
    const names = [...new Set(pruned.map((row) => row.label))].map((label) =>
      pruned.filter((row) => row.label === label).reduce((a, b) => (a.density < b.density ? a : b)));
    const measure = MEASURES[state.measure].name;
    return [plot(`${measure} against ${density ? "share kept" : "average accuracy"}`, {
      height: 380, grid: true, inset: 12, marginTop: 28, marginRight: 30, marginBottom: 42,
      x: { label: density ? "share of the data kept" : "average accuracy (%)", nice: true },
      y: { label: `${measure} (%)`, nice: true },
      marks: [
        Plot.line(pruned, { x, y, z: "label", stroke: "colour", sort: "density" }),
        density ? Plot.ruleY(whole, { y, stroke: "colour", strokeDasharray: "2,3" })
          : Plot.dot(whole, { x, y, fill: "colour", symbol: "star", r: 7 }),
        Plot.dot(pruned, { x, y, fill: "colour", r: (r) => (r.density === state.density ? 6 : 3) }),
        density ? null : Plot.text(pruned, { x, y, text: (row) => String(row.density), dy: -9,
          fontSize: 10, fontWeight: (r) => (r.density === state.density ? "bold" : "normal") }),
        Plot.text(names, { x, y, text: "name", dy: 12, dx: 4, textAnchor: "start", fontSize: 10,
          fill: "colour" }),
        Plot.tip(rows, Plot.pointer({ x, y, title })),
      ],
    })];
  }

  function forest(state, rows) {
    const lines = rows.filter((row) => row.apart && row.density < 1)
      .map((row) => ({ ...row, ...row.apart, line: `${row.name}, ${row.density}` }));
    if (!lines.length) return [`Choose protocols other than ${data.names[state.against]}.`];
    const tip = (row) => `${row.line}\nminus ${data.names[state.against]}\n`
      + `${withInterval(row.apart, true)} points`;
    return [plot(`Differences from ${data.names[state.against]} by protocol and density`, {
      height: 60 + 17 * lines.length, marginBottom: 40, marginLeft: Math.min(170, wide() / 2.4), grid: true,
      x: { label: `${MEASURES[state.measure].name}: points minus ${data.names[state.against]}` },
      y: { label: null, domain: lines.map((row) => row.line) },
      marks: [
        Plot.ruleX([0]),
        Plot.ruleY(lines.filter((row) => !Number.isNaN(row.low)), { y: "line", x1: "low", x2: "high",
          stroke: "colour", strokeWidth: (r) => (r.density === state.density ? 3 : 1.2) }),
        Plot.dot(lines, { y: "line", x: "value", fill: "colour",
          r: (row) => (row.density === state.density ? 5 : 3) }),
        Plot.tip(lines, Plot.pointerY({ y: "line", x: "value", title: tip })),
      ],
    })];
  }

  function classes(state) {
    const set = data.sets[state.set];
    const cell = at(set, state.one, state.density), full = at(set, "full", 1);
    if (!cell || !full) return ["There are no records of this selection."];
    const ours = columns([...recallsOf(set, cell).values()]);
    const whole = columns([...recallsOf(set, full).values()]);
    const order = whole.map((_, k) => k).sort((a, b) => whole[a] - whole[b] || a - b);
    const points = order.map((k, rank) => ({
      rank: rank + 1, k, full: 100 * whole[k], ours: 100 * ours[k], kept: cell.kept[k] / 10 }));
    const colour = data.colours[state.one], name = data.names[state.one];
    const tip = (p) => `class ${p.k}\nall data ${number(p.full)} %\n${name} ${number(p.ours)} %\n`
      + `${number(p.kept)} % of it kept`;
    const x = { label: null, ticks: [] }, r = Math.min(4, 160 / points.length + 1);
    return [
      plot(`Recall of each class, all data and ${name}`, {
        height: 220, x, y: { label: "recall (%)", grid: true },
        marks: [
          Plot.ruleX(points, { x: "rank", y1: "full", y2: "ours", stroke: colour, strokeOpacity: 0.5 }),
          Plot.dot(points, { x: "rank", y: "full", stroke: "currentColor", r }),
          Plot.dot(points, { x: "rank", y: "ours", fill: colour, r }),
          Plot.tip(points, Plot.pointerX({ x: "rank", y: "ours", title: tip })),
        ],
      }),
      plot(`Share of each class that ${name} keeps`, {
        height: 130, y: { label: "kept (%)", grid: true, domain: [0, 100] },
        x: { label: "classes, the hardest on all data first →", ticks: [] },
        marks: [
          Plot.rectY(points, { x1: (p) => p.rank - 0.4, x2: (p) => p.rank + 0.4, y: "kept", fill: colour }),
          Plot.ruleY([100 * cell.density], { strokeDasharray: "4,4" }),
          Plot.tip(points, Plot.pointerX({ x: "rank", y: "kept", title: tip })),
        ],
      }),
    ];
  }

  function table(state, rows) {
    const shown = rows.filter((row) => row.density === state.density || row.density === 1);
    root.querySelector("tbody").replaceChildren(...shown.map((row) => {
      const line = document.createElement("tr");
      const cells = [row.name, row.density === 1 ? "all" : String(row.density), String(row.seeds),
        number(row.average), withInterval(row.found),
        row.apart ? withInterval(row.apart, true) : "–"];
      line.append(...cells.map((text, i) => {
        const cell = document.createElement(i ? "td" : "th");
        if (!i) cell.scope = "row";
        cell.textContent = text;
        return cell;
      }));
      return line;
    }));
    const set = data.sets[state.set];
    says.textContent = `${set.title}: ${MEASURES[state.measure].name} in %, ${state.density} of the `
      + `data, differences from ${data.names[state.against]} in points, 95 % intervals. ${set.note}`;
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    const { set, labels, ...rest } = stateOf();
    if (event.target.name !== "set") return draw();
    const known = labelsOf(data.sets[set]).some((l) => labels.includes(l) && l !== "full");
    show({ ...rest, set: data.sets[set].id, labels: known ? labels.join("|") : START.labels,
      density: String(rest.density) });
  });
  root.querySelector(".dk-copy").addEventListener("click", async () => {
    const state = stateOf();
    history.replaceState(null, "", address(state));
    try {
      await navigator.clipboard.writeText(location.href);
      says.textContent = "The link is copied; the address of this page is the same.";
    } catch {
      says.textContent = "The address of this page is the link to this view.";
    }
  });
  root.querySelector(".dk-csv").addEventListener("click", () => {
    const link = document.createElement("a"), state = stateOf();
    link.href = URL.createObjectURL(new Blob([csv(data, state)], { type: "text/csv" }));
    link.download = `drop-${data.sets[state.set].id}-${state.measure}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  addEventListener("hashchange", () => {
    const given = fromAddress();
    if (given && location.hash !== drawn) show(given);
  });
  let before = 0;
  new ResizeObserver(() => {
    if (before && before !== wide()) draw();
    before = wide();
  }).observe(root);
  show(fromAddress() ?? {});
  root.classList.add("dk-ready");
}

// Load Plot from the book's own files, one after the other; say so where there are none.
function withPlot(root, start) {
  const base = (document.documentElement.dataset.content_root ?? "../") + "_static/plot/";
  const load = (names) => {
    if (!names.length) return start(root);
    const script = document.createElement("script");
    script.src = base + names[0];
    script.onload = () => load(names.slice(1));
    script.onerror = () => {
      root.querySelector(".dk-says").textContent = "The explorer runs in the rendered book: make html.";
    };
    document.head.append(script);
  };
  load(["d3.min.js", "plot.umd.min.js"]);
}
