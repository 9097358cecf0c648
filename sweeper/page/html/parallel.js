// --- parallel coordinates: a line a trial, a range of each axis can be chosen, and stays when the window changes

const NAMESPACE = "http://www.w3.org/2000/svg";
const chosenRanges = new Map(); // by box: of each axis the places from and to, or null
const releases = new Map(); // by box: a function that lets all of them go
const sized = new ResizeObserver((boxes) => boxes.forEach(({ target }) => fitted(target)));

function fitted(box) {
  const width = box.clientWidth; // 0 in a folded panel
  if (width && width !== Number(box.dataset.width)) parallel(box);
}

function svg(name, attributes = {}, words = "") {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = words;
  return made;
}

function parallel(box) {
  const { axes, lines } = JSON.parse(box.closest("figure").querySelector("script").textContent);
  box.dataset.width = box.clientWidth;
  const longest = (texts) => Math.max(0, ...texts.map((words) => words.length));
  const titles = 7 * longest(axes.map((axis) => axis.label)) + 10; // pixels
  const ticks = 6 * longest(axes[0].ticks.map(([, words]) => words)) + 14; // to the left of the first axis
  const side = Math.max(62, titles / 2, ticks);
  const width = Math.max(box.clientWidth, 2 * side + (axes.length - 1) * Math.max(104, titles));
  const height = 330, top = 34, bottom = 34;
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
  const ranges = chosenRanges.get(box) ?? axes.map(() => null);
  chosenRanges.set(box, ranges);
  const chooses = axes.map((axis, place) => drawn(axis, place));
  releases.set(box, () => chooses.forEach((choose) => choose(null)));
  box.replaceChildren(picture);
  sized.observe(box);

  function drawn(axis, place) {
    const group = picture.appendChild(svg("g", { class: "axis", transform: `translate(${x(place)} 0)` }));
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
    choose(ranges[place]);
    return choose;

    function choose(chosen) {
      ranges[place] = chosen;
      range.setAttribute("y", chosen ? y(chosen[1]) : 0);
      range.setAttribute("height", chosen ? y(chosen[0]) - y(chosen[1]) : 0);
      paths.forEach((path, line) => path.classList.toggle("off", !fits(lines[line])));
    }
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
