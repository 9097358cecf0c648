// --- tables: sorted by a click on a column, filtered by words and by trials. Of a long one the browser lays out only
// --- the first lines until the reader asks for more, for a thousand take it half a second

const boards = [...document.querySelectorAll(".board")].map(board);

function board(box) {
  const body = box.querySelector("tbody");
  const heads = [...box.querySelectorAll("th")];
  const rows = [...body.rows].map((row) => ({ row, trial: row.dataset.trial, fits: true }));
  const first = Number(box.dataset.first ?? Infinity);
  const rest = box.querySelector(".rest");
  const input = box.querySelector("input");
  const told = box.querySelector("output");
  const clear = box.querySelector(".clear");
  let chosen = null; // a set of trials, or all
  let whole = false; // all that fit are laid out

  heads.forEach((head, column) => head.firstChild.addEventListener("click", () => sort(head, column)));
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-trial]");
    if (row && details[row.dataset.trial] && !String(getSelection())) toggle(row);
  });
  if (input) {
    input.addEventListener("input", filter);
    rest.addEventListener("click", unfold);
    clear.addEventListener("click", () => {
      input.value = "";
      releases.forEach((release) => release());
      choose(null);
    });
  }

  function sort(head, column) {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.setAttribute("aria-sort", other === head ? (down ? "descending" : "ascending") : "none"));
    closeAll();
    for (const line of rows) line.key = key(line.row.cells[column]);
    rows.sort((a, b) => compare(a.key, b.key, down));
    lay();
    body.append(...rows.map(({ row }) => row));
  }

  function filter() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    closeAll();
    for (const line of rows) {
      line.words ??= line.row.textContent.toLowerCase();
      line.fits = (!chosen || chosen.has(line.trial)) && words.every((word) => line.words.includes(word));
    }
    lay();
    const found = rows.filter(({ fits }) => fits).length;
    told.textContent = `${found === rows.length ? "" : `${counted(found)} of `}${counted(rows.length)} trials`;
    clear.hidden = found === rows.length;
  }

  function lay() {
    let found = 0;
    for (const { row, fits } of rows) {
      found += fits;
      row.hidden = !fits || (found > first && !whole);
    }
    if (!rest) return;
    rest.hidden = whole || found <= first;
    rest.textContent = `Show all ${counted(found)}`;
  }

  function unfold() {
    whole = true;
    lay();
  }

  function choose(trials) {
    chosen = trials;
    filter();
  }

  function closeAll() {
    body.querySelectorAll("tr.more").forEach((more) => toggle(more.previousElementSibling));
  }

  lay();
  return { rows, unfold, choose: input ? choose : () => {}, filtered: Boolean(input) };
}

function counted(number) {
  return number.toLocaleString("en");
}

// The browser's own search sees what is laid out. Opened from a menu, it takes the focus.
addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
  if (key === "F3" || ((ctrlKey || metaKey) && key.toLowerCase() === "f")) unfoldAll();
});
addEventListener("blur", unfoldAll);
addEventListener("beforeprint", unfoldAll);

function unfoldAll() {
  boards.forEach(({ unfold }) => unfold());
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
  for (const { rows, unfold, filtered } of boards) {
    const found = filtered && rows.find((line) => line.trial === String(trial) && line.fits);
    if (!found) continue;
    if (found.row.hidden) unfold();
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
