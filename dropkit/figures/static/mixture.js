// The mixture explorer: dropkit/theory.py again, in the reader's browser. Numbers agree to 1e-9
// with the Python (tests/test_explorer.py), so a change here needs the same change there.

// Standard normal distribution function: Taylor's series near 0, the tail's continued fraction
// elsewhere (Marsaglia 2004, doi:10.18637/jss.v011.i04); relative accuracy better than 1e-12.
function normalCdf(x) {
  if (x === Infinity) return 1;
  if (x === -Infinity) return 0;
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  if (Math.abs(x) < 2.5) {
    let sum = x, term = x;
    for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
      term *= (x * x) / k;
      sum += term;
    }
    return 0.5 + density * sum;
  }
  let fraction = 0;
  for (let k = 100; k >= 1; k--) fraction = k / (Math.abs(x) + fraction);
  const tail = density / (Math.abs(x) + fraction);
  return x < 0 ? tail : 1 - tail;
}

// Equation 1.
function risks(m, t) {
  return [normalCdf((m.mu0 - t) / m.sigma0), normalCdf((t - m.mu1) / m.sigma1)];
}

// Equation 2.
function averageRisk(m, t) {
  const [risk0, risk1] = risks(m, t);
  return m.phi0 * risk0 + (1 - m.phi0) * risk1;
}

// Equation 3, in the form that needs no case for equal deviations; or -Infinity or +Infinity where
// Theorem B.1's conditions fail.
function averageMinimizer(m) {
  if (m.phi0 <= 0) return -Infinity;
  if (m.phi0 >= 1) return Infinity;
  const gap = (m.mu1 - m.mu0) / m.sigma1;
  const ratio = m.sigma1 / m.sigma0;
  const rest = gap * gap + 2 * Math.log((m.phi0 * ratio) / (1 - m.phi0));
  const discriminant = gap * gap + (ratio - 1) * (ratio + 1) * rest;
  let best = -Infinity;
  if (discriminant >= 0) best = m.mu0 + (m.sigma1 * rest) / (gap + Math.sqrt(discriminant));
  for (const t of [-Infinity, Infinity]) if (averageRisk(m, t) < averageRisk(m, best)) best = t;
  return best;
}

// Equation 4.
function worstClassMinimizer(m) {
  return (m.mu0 * m.sigma1 + m.mu1 * m.sigma0) / (m.sigma0 + m.sigma1);
}

// Densities proportional to the weights, at most 1, that keep the overall density (Algorithm 1).
function classDensities(m, weights, density) {
  const sizes = [m.phi0, 1 - m.phi0];
  const scale = density / (sizes[0] * weights[0] + sizes[1] * weights[1]);
  const kept = weights.map((weight) => weight * scale);
  for (const k of [0, 1]) {
    if (kept[k] > 1) {
      kept[k] = 1;
      kept[1 - k] = Math.max(0, (density - sizes[k]) / sizes[1 - k]);
    }
  }
  return kept;
}

// The average minimiser after random pruning with these class densities.
function prunedMinimizer(m, kept) {
  const sizes = [m.phi0 * kept[0], (1 - m.phi0) * kept[1]];
  return averageMinimizer({ ...m, phi0: sizes[0] / (sizes[0] + sizes[1]) });
}

// The columns of the explorer's table for one mixture and one density.
function columns(m, density) {
  const full = averageMinimizer(m);
  const optimal = classDensities(m, [m.sigma0 / m.phi0, m.sigma1 / (1 - m.phi0)], density);
  const drop = classDensities(m, risks(m, full), density);
  const column = (t, kept) => {
    const [risk0, risk1] = risks(m, t);
    return {
      d0: kept && kept[0], d1: kept && kept[1], threshold: t, risk0, risk1,
      worst: Math.max(risk0, risk1), average: averageRisk(m, t),
    };
  };
  return {
    full: column(full, [1, 1]),
    optimal: column(prunedMinimizer(m, optimal), optimal),
    drop: column(prunedMinimizer(m, drop), drop),
    best: column(worstClassMinimizer(m), null),
  };
}

function formatted(row, value) {
  if (value === null) return "–";
  if (!Number.isFinite(value)) return value < 0 ? "−∞" : "∞";
  const text = row === "threshold" ? value.toFixed(3) : (100 * value).toFixed(1) + " %";
  return text.replace("-", "−");
}

function sentence(table) {
  const points = 100 * (table.full.worst - table.drop.worst);
  const change = Math.abs(points) < 0.05 ? "leaves the worst-class risk as it is"
    : `${points > 0 ? "lowers" : "raises"} the worst-class risk by ${Math.abs(points).toFixed(1)} points`;
  const failed = Number.isFinite(table.full.threshold) ? "" : " On the full data the average risk is"
    + ` least when everything is called class ${table.full.threshold < 0 ? 1 : 0}: Theorem B.1's`
    + " conditions fail.";
  return `Pruning with DRoP's quotas ${change};`
    + ` the least possible is ${(100 * table.best.worst).toFixed(1)} %.${failed}`;
}

// Pictures are drawn in CSS pixels of the present width, so that text keeps its size on a phone.
function draw(svg, m, table, range) {
  const width = Math.max(240, svg.clientWidth), height = 220, foot = 22;
  const toX = (x) => ((x - range[0]) / (range[1] - range[0])) * width;
  const grid = Array.from({ length: 301 }, (_, i) => range[0] + ((range[1] - range[0]) * i) / 300);
  const bell = (x, mu, sigma) => Math.exp(-0.5 * ((x - mu) / sigma) ** 2) / sigma;
  const curves = [
    grid.map((x) => m.phi0 * bell(x, m.mu0, m.sigma0)),
    grid.map((x) => (1 - m.phi0) * bell(x, m.mu1, m.sigma1)),
  ];
  const top = 1.05 * Math.max(...curves[0], ...curves[1]);
  const path = (curve) => "M" + curve
    .map((y, i) => `${toX(grid[i]).toFixed(1)},${((1 - y / top) * (height - foot)).toFixed(1)}`)
    .join("L");
  const line = (name) => {
    const t = table[name].threshold;
    if (!(t >= range[0] && t <= range[1])) return "";
    const x = toX(t).toFixed(1);
    return `<line class="dk-${name}" x1="${x}" x2="${x}" y1="0" y2="${height - foot}"/>`;
  };
  const step = 10 ** Math.floor(Math.log10((range[1] - range[0]) / 4));
  let ticks = "";
  const margin = ((range[1] - range[0]) * 12) / width; // no label is cut off at the edges
  for (let i = Math.ceil((range[0] + margin) / step); i * step <= range[1] - margin; i++) {
    const label = String(+(i * step).toPrecision(6)).replace("-", "−");
    ticks += `<text x="${toX(i * step).toFixed(1)}" y="${height - 5}">${label}</text>`;
  }
  const names = [m.mu0, m.mu1].map((mu, k) =>
    `<text class="dk-name${k}" x="${toX(mu).toFixed(1)}" y="${height - foot - 8}">class ${k}</text>`)
    .join("");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.innerHTML = `<path class="dk-class0" d="${path(curves[0])}"/>`
    + `<path class="dk-class1" d="${path(curves[1])}"/>`
    + ["best", "full", "optimal", "drop"].map(line).join("")
    + `<path class="dk-axis" d="M0,${height - foot}H${width}"/>${names}${ticks}`;
  svg.setAttribute("aria-label", "Scaled densities of the two classes with thresholds "
    + Object.entries({ full: "full data", optimal: "Eq. 5 quotas", drop: "DRoP", best: "t-hat" })
      .map(([name, label]) => `${label} ${formatted("threshold", table[name].threshold)}`)
      .join(", "));
}

function startMixture(root) {
  const inputs = Array.from(root.querySelectorAll("input"));
  const range = root.dataset.range.split(" ").map(Number);
  const centre = Number(root.dataset.centre);
  const update = () => {
    const value = {};
    for (const input of inputs) {
      value[input.name] = Number(input.value);
      input.nextElementSibling.textContent = Number(input.value).toFixed(2);
    }
    const m = {
      mu0: centre - value.separation / 2, mu1: centre + value.separation / 2,
      sigma0: value.sigma0, sigma1: value.sigma1, phi0: value.phi0,
    };
    const table = columns(m, value.density);
    for (const cell of root.querySelectorAll("td[data-row]")) {
      const number = table[cell.dataset.column][cell.dataset.row];
      cell.textContent = formatted(cell.dataset.row, number);
      cell.dataset.value = number;
    }
    root.querySelector(".dk-says").textContent = sentence(table);
    draw(root.querySelector("svg"), m, table, range);
  };
  root.addEventListener("input", update);
  window.addEventListener("resize", update);
  update();
}
