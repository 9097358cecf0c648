"use strict";
// Everything from the sweep is put in as text, never as markup.

const root = document.documentElement;
const details = JSON.parse(document.getElementById("details").textContent);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// --- light and dark

const darkSystem = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : darkSystem.matches;
}

document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  redraw();
});
darkSystem.addEventListener("change", redraw);

// --- tables: sorted by a click on a column, filtered by words and by trials

const boards = [...document.querySelectorAll(".board")].map(board);

function board(box) {
  const body = box.querySelector("tbody");
  const heads = [...box.querySelectorAll("th")];
  const rows = [...body.rows].map((row) => ({ row, words: row.textContent.toLowerCase(), trial: row.dataset.trial }));
  const input = box.querySelector("input");
  const told = box.querySelector("output");
  const clear = box.querySelector(".clear");
  let chosen = null; // a set of trials, or all

  heads.forEach((head, column) => head.firstChild.addEventListener("click", () => sort(head, column)));
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-trial]");
    if (row && details[row.dataset.trial] && !String(getSelection())) toggle(row);
  });
  if (input) {
    input.addEventListener("input", filter);
    clear.addEventListener("click", () => {
      input.value = "";
      brushes.forEach((release) => release());
      choose(null);
    });
  }

  function sort(head, column) {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.setAttribute("aria-sort", other === head ? (down ? "descending" : "ascending") : "none"));
    closeAll();
    const sorted = rows.map(({ row }) => ({ row, key: key(row.cells[column]) }));
    sorted.sort((a, b) => compare(a.key, b.key, down));
    body.append(...sorted.map(({ row }) => row));
  }

  function filter() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    closeAll();
    for (const { row, words: text, trial } of rows) {
      const fits = (!chosen || chosen.has(trial)) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    told.textContent = shown === rows.length ? `${rows.length} trials` : `${shown} of ${rows.length} trials`;
    clear.hidden = shown === rows.length;
  }

  function choose(trials) {
    chosen = trials;
    filter();
  }

  function closeAll() {
    body.querySelectorAll("tr.more").forEach((more) => toggle(more.previousElementSibling));
  }

  return { rows, choose: input ? choose : () => {}, filtered: Boolean(input) };
}

function key(cell) {
  const words = cell.dataset.number ?? cell.textContent.trim();
  const number = words === "" ? NaN : Number(words);
  return Number.isNaN(number) ? words : number;
}

// Numbers before words, and what is empty always last.
function compare(a, b, down) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const kinds = (typeof a === "string") - (typeof b === "string");
  const order = kinds || (typeof a === "number" ? a - b : a.localeCompare(b));
  return down ? -order : order;
}

function toggle(row) {
  const button = row.querySelector("button.details");
  const open = row.nextElementSibling?.classList.contains("more");
  button?.setAttribute("aria-expanded", String(!open));
  if (open) row.nextElementSibling.remove();
  else row.after(more(details[row.dataset.trial], row.cells.length));
}

function more(told, columns) {
  const list = element("dl");
  for (const [name, words] of told.lines) list.append(element("dt", {}, name), element("dd", {}, words));
  const command = element("div", { class: "command" }, element("span", {}, "trains this trial alone"));
  command.append(element("pre", {}, element("code", {}, told.command)), element("button", { type: "button", class: "copy" }, "Copy"));
  const inner = element("div", { class: "inner" }, list, command);
  return element("tr", { class: "more" }, element("td", { colspan: columns }, inner));
}

// A click on a trial in a chart.
function show(trial) {
  for (const { rows, filtered } of boards) {
    const found = filtered && rows.find((row) => row.trial === String(trial) && !row.row.hidden);
    if (!found) continue;
    if (!found.row.nextElementSibling?.classList.contains("more")) toggle(found.row);
    found.row.scrollIntoView({ block: "center" });
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // to be copied by hand
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
});

// --- parallel coordinates: a line a trial, a range of each axis can be chosen

const NAMESPACE = "http://www.w3.org/2000/svg";
const brushes = [];

function svg(name, attributes = {}, words = "") {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = words;
  return made;
}

function parallel(box) {
  const { axes, lines } = JSON.parse(box.closest("figure").querySelector("script").textContent);
  const width = Math.max(box.clientWidth, axes.length * 104);
  const height = 330, top = 34, bottom = 34, side = 62;
  const x = (axis) => side + (axis * (width - 2 * side)) / Math.max(axes.length - 1, 1);
  const y = (place) => (place === null ? height - 12 : top + (1 - place) * (height - top - bottom));
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  const paths = lines.map((line) => {
    const d = line.places.map((place, axis) => `${axis ? "L" : "M"}${x(axis).toFixed(1)} ${y(place).toFixed(1)}`).join("");
    const path = svg("path", { d, "data-trial": line.trial });
    path.style.stroke = `color-mix(in oklab, var(--accent) ${Math.round(100 * line.share)}%, var(--faint))`;
    path.append(svg("title", {}, line.words));
    path.addEventListener("click", () => show(line.trial));
    return path;
  });
  picture.append(...paths);
  const ranges = axes.map(() => null);
  axes.forEach((axis, place) => picture.append(drawn(axis, place)));
  box.replaceChildren(picture);

  function drawn(axis, place) {
    const group = svg("g", { class: "axis", transform: `translate(${x(place)} 0)` });
    group.append(svg("line", { y1: top, y2: height - bottom }));
    const middle = { "text-anchor": "middle" };
    group.append(svg("text", { ...middle, y: 14, class: "title" }, axis.label));
    if (axis.gaps) group.append(svg("text", { ...middle, y: height - 2 }, "not set"));
    for (const [at, words] of axis.ticks) group.append(svg("text", { x: -6, y: y(at) + 4, "text-anchor": "end" }, words));
    const range = group.appendChild(svg("rect", { class: "range", x: -7, width: 14, height: 0 }));
    const grip = group.appendChild(svg("rect", { class: "grip", x: -14, width: 28, y: top, height: height - top - bottom }));
    let from = null;
    const at = (event) => {
      const bounds = grip.getBoundingClientRect();
      return Math.min(Math.max(1 - (event.clientY - bounds.top) / bounds.height, 0), 1);
    };
    grip.addEventListener("pointerdown", (event) => {
      grip.setPointerCapture(event.pointerId);
      from = at(event);
      choose([from, from]);
    });
    grip.addEventListener("pointermove", (event) => {
      if (from !== null) choose([Math.min(from, at(event)), Math.max(from, at(event))]);
    });
    grip.addEventListener("pointerup", () => {
      if (from === null) return; // pressed elsewhere
      from = null;
      if (ranges[place][1] - ranges[place][0] < 0.02) choose(null);
      boards.forEach((one) => one.choose(chosen()));
    });
    brushes.push(() => choose(null));

    function choose(chosen) {
      ranges[place] = chosen;
      range.setAttribute("y", chosen ? y(chosen[1]) : 0);
      range.setAttribute("height", chosen ? y(chosen[0]) - y(chosen[1]) : 0);
      paths.forEach((path, line) => path.classList.toggle("off", !fits(lines[line])));
    }
    return group;
  }

  function fits(line) {
    return ranges.every((range, axis) => {
      const place = line.places[axis];
      return !range || (place !== null && place >= range[0] - 1e-9 && place <= range[1] + 1e-9);
    });
  }

  function chosen() {
    return ranges.every((range) => !range) ? null : new Set(lines.filter(fits).map((line) => String(line.trial)));
  }
}

// --- charts, in the order of the page, with a break now and then in which it answers; in a folded panel when it opens

const TURN = 150; // milliseconds; in each break the browser paints the whole page anew
const CONFIG = { responsive: true, displaylogo: false, modeBarButtons: [["toImage", "resetScale2d"]] };
const probe = document.body.appendChild(element("i", { hidden: "" }));

function colour(name) {
  probe.style.color = name;
  return getComputedStyle(probe).color;
}

// Plotly knows no variables of CSS.
function coloured(value) {
  if (typeof value === "string") return /^var\(--[a-z_]+\)$/.test(value) ? colour(value) : value;
  if (Array.isArray(value)) return typeof value[0] === "number" && typeof value.at(-1) === "number" ? value : value.map(coloured);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, coloured(part)]));
}

// Without automargin, for which Plotly draws all twice: where names stand at an axis, the figure asks for it.
function themed(layout) {
  const axis = { gridcolor: "var(--rule)", linecolor: "var(--faint)", zeroline: false, exponentformat: "power" };
  const axes = ["xaxis", "yaxis"].map((name) => {
    const title = { text: "", ...layout[name]?.title, font: { size: 12 }, standoff: 10 };
    return [name, { ...axis, ...layout[name], title }];
  });
  const font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: "var(--dim)" };
  return coloured({
    margin: { l: 62, r: 12, t: 28, b: 44 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    colorway: ["var(--accent)", "var(--best)", "var(--green)", "var(--yellow)", "var(--magenta)"],
    hovermode: "closest",
    hoverlabel: { bgcolor: "var(--surface)", bordercolor: "var(--faint)", font: { color: "var(--ink)" } },
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: "var(--faint)", activecolor: "var(--accent)" },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", // a finger scrolls the page
    font,
    ...layout,
    ...Object.fromEntries(axes),
  });
}

function draw(plot) {
  const { data, layout } = JSON.parse(plot.nextElementSibling.textContent);
  const first = !plot.dataset.drawn;
  plot.dataset.drawn = "yes";
  Plotly.react(plot, coloured(data), themed(layout), CONFIG);
  if (first) plot.on("plotly_click", ({ points: [point] }) => Number.isInteger(point.customdata) && show(point.customdata));
}

function undrawn() {
  return [...document.querySelectorAll(".plot:not([data-drawn]), .parallel:empty")].filter((box) => box.checkVisibility());
}

function drawOne(box) {
  if (box.classList.contains("plot")) draw(box);
  else parallel(box);
}

async function drawAll() {
  let turn = -Infinity;
  for (let next = undrawn()[0]; next; next = undrawn()[0]) {
    drawOne(next);
    if (performance.now() - turn < TURN) continue;
    await new Promise((resolve) => setTimeout(resolve));
    turn = performance.now();
    if (!performance.getEntriesByName("first").length) performance.mark("first");
  }
  if (!root.dataset.drawn) performance.mark("last");
  root.dataset.drawn = "yes";
}

function redraw() {
  document.querySelectorAll(".plot[data-drawn]").forEach(draw);
}

addEventListener("DOMContentLoaded", () => {
  drawAll();
  document.addEventListener("toggle", drawAll, true); // it does not bubble; open panels tell it before Plotly is there
});
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((panel) => (panel.open = true));
  undrawn().forEach(drawOne);
});

// --- where the reader is

const links = new Map([...document.querySelectorAll("nav li a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver(
  (entries) => entries.forEach(({ target, isIntersecting }) => links.get(target.id)?.classList.toggle("here", isIntersecting)),
  { rootMargin: "-20% 0px -70% 0px" },
);
document.querySelectorAll("section").forEach((section) => seen.observe(section));
