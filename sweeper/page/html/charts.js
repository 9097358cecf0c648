// --- charts: first those near what the reader sees, then the others, with a break now and then in which the page
// --- answers; in a folded panel when it opens

const TURN = 150; // milliseconds; in each break the browser paints the whole page anew
const near = new Set(); // boxes, up to a window's height away
const watcher = new IntersectionObserver(
  (entries) => entries.forEach(({ target, isIntersecting }) => near[isIntersecting ? "add" : "delete"](target)),
  { rootMargin: "100% 0px" },
);
document.querySelectorAll(".plot, .parallel").forEach((box) => watcher.observe(box));
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
// Numbers with an e as in the tables: powers of ten it would write larger than other numbers.
function themed(layout) {
  const axis = { gridcolor: "var(--rule)", linecolor: "var(--faint)", zeroline: false, exponentformat: "e" };
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

// Who follows a link to a section is on the way to it.
function next() {
  const boxes = undrawn();
  const sought = document.getElementById(location.hash.slice(1));
  return boxes.find((box) => sought?.contains(box)) ?? boxes.find((box) => near.has(box)) ?? boxes[0];
}

async function drawAll() {
  let turn = -Infinity;
  for (let box = next(); box; box = next()) {
    if (turn > 0 && !near.has(box)) mark("seen");
    drawOne(box);
    if (performance.now() - turn < TURN) continue;
    await new Promise((resolve) => setTimeout(resolve));
    turn = performance.now();
  }
  mark("seen");
  mark("last");
  root.dataset.drawn = "yes";
}

// For benchmarks/report.py: what is near the reader is drawn, and everything.
function mark(name) {
  if (!performance.getEntriesByName(name).length) performance.mark(name);
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
