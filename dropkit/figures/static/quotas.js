// The quota explorer: dropkit/quotas.py again, in the reader's browser. Numbers agree with the
// Python (tests/test_quota_explorer.py), so a change here needs the same change there.

const sum = (values) => values.reduce((total, value) => total + value, 0);

// DRoP's weights: the error 1 - r, or (errors + a) / (n + 2a) with pseudo-count a on n samples.
function errorWeights(recalls, valSizes, smoothing) {
  if (smoothing === 0) return recalls.map((recall) => 1 - recall);
  return recalls.map((recall, k) => {
    const errors = valSizes[k] === 0 ? 0 : (1 - recall) * valSizes[k];
    return (errors + smoothing) / (valSizes[k] + 2 * smoothing);
  });
}

// Class densities min(1, scale * weight) that keep `density` of all samples (Algorithm 1).
function dropDensities(sizes, recalls, density, smoothing, valSizes) {
  if (density === 0 || density === 1) return sizes.map(() => density);
  const weights = errorWeights(recalls, valSizes, smoothing);
  const keep = density * sum(sizes);
  const share = (weight, level) => (level > 0 ? Math.min(1, weight / level) : 1);
  const levels = [...new Set(weights)].filter((weight) => weight > 0).sort((a, b) => a - b);
  const fits = (level) => sum(sizes.map((size, k) => size * share(weights[k], level))) <= keep;
  let low = 0, high = levels.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fits(levels[middle])) high = middle;
    else low = middle + 1;
  }
  const level = low > 0 ? levels[low - 1] : 0;
  const full = weights.map((weight) => weight > level);
  const rest = keep - sum(sizes.filter((_, k) => full[k]));
  const demand = sum(sizes.map((size, k) => (full[k] ? 0 : size * share(weights[k], level))));
  return weights.map((weight, k) =>
    full[k] ? 1 : Math.min(1, Math.max(0, (rest / demand) * share(weight, level))));
}

function halfUp(value) {
  return Math.floor(value + 0.5 + 1e-8);
}

// Whole counts by largest remainder; of equal remainders the first class is served first.
function classCounts(sizes, densities, total) {
  const wanted = sizes.map((size, k) => size * densities[k]);
  const counts = wanted.map(Math.floor);
  const remainder = wanted.map((value, k) =>
    (value > counts[k] ? Math.round((value - counts[k]) * 1e8) / 1e8 : -1));
  const order = counts.map((_, k) => k).sort((a, b) => remainder[b] - remainder[a] || a - b);
  for (const k of order.slice(0, total - sum(counts))) counts[k] += 1;
  return counts;
}

// One class a line: a name if it is no number, size, recall, validation samples if known.
function parseClasses(text) {
  const classes = [];
  text.split("\n").forEach((line, i) => {
    const words = line.split(/[\s,;]+/).filter((word) => word);
    if (!words.length) return;
    const where = `Line ${i + 1}`;
    const named = Number.isNaN(Number(words[0]));
    const name = named ? words[0] : String(classes.length);
    const numbers = words.slice(named ? 1 : 0).map(Number);
    if (numbers.length < 2 || numbers.length > 3 || numbers.some(Number.isNaN)) {
      throw new Error(`${where} is “${line.trim()}”: it must be a size and a recall, such as 500 0.9.`);
    }
    const [size, recall, val = size] = numbers;
    if (!Number.isInteger(size) || size < 0) {
      throw new Error(`${where}: the size is ${size}; it must be a whole number, not below 0.`);
    }
    if (!(recall >= 0 && recall <= 1)) {
      throw new Error(`${where}: the recall is ${recall}; it must lie between 0 and 1.`);
    }
    if (!(val >= 0 && Number.isFinite(val))) {
      throw new Error(`${where}: ${val} validation samples; there must be 0 or more.`);
    }
    classes.push({ name, size, recall, val });
  });
  if (!sum(classes.map(({ size }) => size))) {
    throw new Error("There is nothing to prune: give at least one class with samples.");
  }
  return classes;
}

// What the page shows for these classes: densities, counts, and how many samples that is.
function pruned(classes, density, smoothing) {
  const sizes = classes.map(({ size }) => size);
  const unseen = classes.find(({ val }) => val === 0);
  if (smoothing === 0 && unseen) {
    throw new Error(`Class ${unseen.name} has no validation samples, so its recall is unknown:`
      + " move the smoothing above 0.");
  }
  const densities = dropDensities(
    sizes, classes.map(({ recall }) => recall), density, smoothing, classes.map(({ val }) => val));
  const total = halfUp(sum(sizes) * density);
  return { densities, counts: classCounts(sizes, densities, total), total, all: sum(sizes) };
}

function listed(names) {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

function sentences(classes, result, smoothing) {
  const names = (condition) => classes.filter((each, k) => condition(each, k)).map(({ name }) => name);
  const dead = names(({ size }, k) => size > 0 && result.counts[k] === 0);
  const full = names(({ size }, k) => size > 0 && result.counts[k] === size);
  const says = [`${result.total} of ${result.all} samples are kept.`];
  if (full.length) says.push(`Kept whole: ${listed(full)}.`);
  let warning = "";
  if (dead.length) {
    warning = `Class ${listed(dead)} ${dead.length > 1 ? "lose all their" : "loses all its"} samples:`
      + " a network trained on this set never sees "
      + (dead.length > 1 ? "them." : "it.")
      + (smoothing === 0 ? " Smoothing gives a class of perfect recall a share." : "");
  }
  return [says.join(" "), warning];
}

function cells(classes, result) {
  return classes.map(({ name, size, recall }, k) =>
    [name, String(size), String(recall), result.densities[k].toFixed(3), String(result.counts[k])]);
}

function csv(classes, result) {
  const quoted = (name) => (/[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);
  const lines = classes.map(({ name, size, recall }, k) =>
    [quoted(name), size, recall, result.densities[k], result.counts[k]].join(","));
  return ["class,size,recall,density,kept", ...lines].join("\n") + "\n";
}

// Bars in CSS pixels of the present width, as wide as they are few.
function drawQuotas(svg, classes, result, density) {
  const width = Math.max(240, svg.clientWidth), height = 170, foot = 20, left = 30;
  const room = height - foot - 8, step = (width - left) / classes.length;
  const toY = (value) => (8 + (1 - value) * room).toFixed(1);
  const bar = step > 6 ? step * 0.8 : step;
  const bars = result.densities.map((value, k) => {
    const dead = classes[k].size > 0 && result.counts[k] === 0;
    const x = (left + k * step + (step - bar) / 2).toFixed(1);
    const shape = `x="${x}" width="${bar.toFixed(1)}"`;
    return dead ? `<rect class="dk-dead" ${shape} y="8" height="${room}"/>`
      : `<rect class="dk-kept" ${shape} y="${toY(value)}" height="${(value * room).toFixed(1)}"/>`;
  }).join("");
  const longest = Math.max(...classes.map(({ name }) => Math.min(8, name.length)));
  const every = Math.ceil((12 + 7 * longest) / step);
  const labels = classes.map(({ name }, k) => (k % every ? "" : `<text x="${
    (left + (k + 0.5) * step).toFixed(1)}" y="${height - 5}"></text>`));
  const ticks = [0, 0.5, 1].map((value) =>
    `<text class="dk-tick" x="${left - 5}" y="${+toY(value) + 4}">${value}</text>`).join("");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.innerHTML = `${bars}<path class="dk-axis" d="M${left},8V${height - foot}H${width}"/>`
    + `<path class="dk-overall" d="M${left},${toY(density)}H${width}"/>${ticks}${labels.join("")}`;
  svg.querySelectorAll("text:not(.dk-tick)").forEach((label, i) => {
    label.textContent = classes[i * every].name.slice(0, 8); // a name is text, never markup
  });
  svg.setAttribute("aria-label", `Density of each of ${classes.length} classes, from `
    + `${Math.min(...result.densities).toFixed(3)} to ${Math.max(...result.densities).toFixed(3)}; `
    + `the line is the overall density ${density}`);
}

function startQuotas(root) {
  const find = (selector) => root.querySelector(selector);
  const text = find("textarea"), choice = find("select"), sliders = root.querySelectorAll("[type=range]");
  let shown = null;
  const update = () => {
    const value = {};
    for (const slider of sliders) {
      value[slider.name] = Number(slider.value);
      slider.nextElementSibling.textContent = Number(slider.value).toFixed(2);
    }
    try {
      const classes = parseClasses(text.value);
      shown = { classes, result: pruned(classes, value.density, value.smoothing) };
    } catch (error) {
      find(".dk-warning").textContent = error.message;
      find("button").disabled = true;
      return; // what was right last stays in view
    }
    const { classes, result } = shown;
    find("button").disabled = false;
    [find(".dk-says").textContent, find(".dk-warning").textContent] =
      sentences(classes, result, value.smoothing);
    find("tbody").replaceChildren(...cells(classes, result).map((row) => {
      const line = document.createElement("tr");
      line.replaceChildren(...row.map((word, i) => {
        const cell = document.createElement(i ? "td" : "th");
        if (!i) cell.scope = "row";
        cell.textContent = word;
        return cell;
      }));
      return line;
    }));
    drawQuotas(find("svg"), classes, result, value.density);
  };
  const download = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv(shown.classes, shown.result)], { type: "text/csv" }));
    link.download = "quotas.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  choice.addEventListener("change", () => {
    if (choice.value) text.value = choice.value;
    update();
  });
  text.addEventListener("input", () => { choice.value = ""; });
  root.addEventListener("input", update);
  find("button").addEventListener("click", download);
  window.addEventListener("resize", () => shown && update());
  update();
}
