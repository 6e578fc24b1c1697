// A curve of the report with values under the pointer and a range to drag. Without scripts nothing is missing
// but this: the figures and the table to download hold the same numbers.
"use strict";
(() => {
  const root = document.getElementById("explorer");
  const { x, curves } = JSON.parse(document.getElementById("explorer-data").textContent);
  const chooser = root.querySelector("select"), readout = root.querySelector("output");
  const svg = root.querySelector("svg"), whole = root.querySelector("button");
  const margin = { left: 46, right: 14, top: 22, bottom: 40 }, height = 320;
  let range = [0, x[x.length - 1]], at = -1, from = null, to = null;

  const raised = text => [...text].map(c => c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]).join("");
  const number = v => v === null ? "–" : Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3)
    ? v.toExponential(3).replace(/e([+-])(\d+)/, (_, sign, power) => "·10" + raised((sign === "-" ? "-" : "") + power))
    : String(Number(v.toPrecision(4)));
  const width = () => Math.max(svg.clientWidth, 240);
  const place = v => margin.left + (v - range[0]) / (range[1] - range[0]) * (width() - margin.left - margin.right);
  const value = px => range[0] + (px - margin.left) / (width() - margin.left - margin.right) * (range[1] - range[0]);
  const clamp = v => Math.min(Math.max(v, 0), x[x.length - 1]);

  function add(kind, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [name, content] of Object.entries(attributes)) made.setAttribute(name, content);
    if (text !== undefined) made.textContent = text;
    svg.appendChild(made);
  }

  function ticks(low, high, count) {
    const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].find(s => s * power >= raw) * power;
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(k * step);
    return found;
  }

  function nearest(v) {
    let low = 0, high = x.length - 1;
    while (high - low > 1) { const half = (low + high) >> 1; if (x[half] < v) low = half; else high = half; }
    return v - x[low] < x[high] - v ? low : high;
  }

  function draw() {
    const curve = curves[chooser.selectedIndex], w = width(), bottom = height - margin.bottom;
    svg.setAttribute("viewBox", `0 0 ${w} ${height}`);
    svg.replaceChildren();
    const shown = [];
    for (let i = 0; i < x.length; i++)
      if (x[i] >= range[0] && x[i] <= range[1] && curve.y[i] !== null && x[i] >= curve.from) shown.push(i);
    const error = i => curve.e ? curve.e[i] || 0 : 0;
    let low = Infinity, high = -Infinity;
    for (const i of shown) { low = Math.min(low, curve.y[i] - error(i)); high = Math.max(high, curve.y[i] + error(i)); }
    if (!(high > low)) { high = (high > -Infinity ? high : 0) + 1; low = high - 2; }
    if (low > 0 && low < 0.3 * high) low = 0;
    const room = 0.05 * (high - low); high += room; if (low < 0) low -= room;
    const y = v => bottom - (v - low) / (high - low) * (bottom - margin.top);
    for (const t of ticks(range[0], range[1], w / 110)) {
      add("line", { class: "grid", x1: place(t), x2: place(t), y1: margin.top, y2: bottom });
      add("text", { x: place(t), y: bottom + 16, "text-anchor": "middle" }, number(t));
    }
    const thousands = high >= 1e4 ? 3 * Math.floor(Math.log10(high) / 3) : 0, unit = 10 ** thousands;
    const factor = thousands ? `10${raised(String(thousands))}` : "";
    const inside = [factor, curve.unit].filter(Boolean).join(" ");
    add("text", { x: margin.left, y: 12 }, curve.name + (inside ? ` (${inside})` : ""));
    for (const t of ticks(low, high, 5)) {
      add("line", { class: "grid", x1: margin.left, x2: w - margin.right, y1: y(t), y2: y(t) });
      add("text", { x: margin.left - 6, y: y(t) + 4, "text-anchor": "end" }, number(Math.abs(t) < 1e-9 * high ? 0 : t / unit));
    }
    add("text", { x: (margin.left + w) / 2, y: height - 6, "text-anchor": "middle" }, "wavenumber (cm⁻¹)");
    if (curve.e && shown.length) {
      const upper = shown.map(i => `${place(x[i]).toFixed(1)},${y(curve.y[i] + error(i)).toFixed(1)}`);
      const lower = shown.map(i => `${place(x[i]).toFixed(1)},${y(curve.y[i] - error(i)).toFixed(1)}`).reverse();
      add("polygon", { class: "band", points: upper.concat(lower).join(" ") });
    }
    add("polyline", { class: "curve", points: shown.map(i => `${place(x[i]).toFixed(1)},${y(curve.y[i]).toFixed(1)}`).join(" ") });
    if (from !== null && to !== null)
      add("rect", { class: "chosen", x: Math.min(place(from), place(to)), y: margin.top,
        width: Math.abs(place(to) - place(from)), height: bottom - margin.top });
    if (at >= 0 && x[at] >= range[0] && x[at] <= range[1] && curve.y[at] !== null) {
      add("line", { class: "cursor", x1: place(x[at]), x2: place(x[at]), y1: margin.top, y2: bottom });
      add("circle", { class: "cursor", cx: place(x[at]), cy: y(curve.y[at]), r: 3.5 });
      const spread = curve.e ? ` ± ${number(curve.e[at])}` : "";
      readout.textContent = `${x[at].toFixed(1)} cm⁻¹: ${curve.name} = ${number(curve.y[at])}${spread}${curve.unit ? " " + curve.unit : ""}`;
    }
    whole.disabled = range[0] === 0 && range[1] === x[x.length - 1];
  }

  function zoom(low, high) {
    low = clamp(low); high = clamp(high);
    if (high - low > 4 * (x[1] - x[0])) range = [low, high];
    draw();
  }
  const whereOf = event => value(event.clientX - svg.getBoundingClientRect().left);
  svg.addEventListener("pointerdown", event => { from = clamp(whereOf(event)); to = null; svg.setPointerCapture(event.pointerId); });
  svg.addEventListener("pointermove", event => {
    at = nearest(whereOf(event));
    if (from !== null) to = clamp(whereOf(event));
    draw();
  });
  svg.addEventListener("pointerup", () => {
    const [a, b] = [from, to];
    from = to = null;
    if (b !== null && Math.abs(place(b) - place(a)) > 8) zoom(Math.min(a, b), Math.max(a, b)); else draw();
  });
  svg.addEventListener("pointercancel", () => { from = to = null; draw(); });
  svg.addEventListener("keydown", event => {
    const middle = at >= 0 ? x[at] : (range[0] + range[1]) / 2, half = (range[1] - range[0]) / 2;
    if (event.key === "ArrowLeft" || event.key === "ArrowRight")
      at = Math.min(Math.max((at < 0 ? nearest(middle) : at) + (event.key === "ArrowLeft" ? -1 : 1), 0), x.length - 1);
    else if (event.key === "+") return zoom(middle - half / 2, middle + half / 2);
    else if (event.key === "-") return zoom(middle - 2 * half, middle + 2 * half);
    else if (event.key === "0") return zoom(0, x[x.length - 1]);
    else return;
    event.preventDefault();
    draw();
  });
  whole.addEventListener("click", () => zoom(0, x[x.length - 1]));
  svg.addEventListener("dblclick", () => zoom(0, x[x.length - 1]));
  chooser.addEventListener("change", draw);
  window.addEventListener("resize", draw);
  curves.forEach(curve => chooser.add(new Option(curve.label)));
  root.hidden = false;
  draw();
})();
