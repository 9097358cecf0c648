"use strict";
// What the other scripts share; they follow. Everything from the sweep is put in as text, never as markup.

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

// --- where the reader is

const links = new Map([...document.querySelectorAll("nav li a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver(
  (entries) => entries.forEach(({ target, isIntersecting }) => links.get(target.id)?.classList.toggle("here", isIntersecting)),
  { rootMargin: "-20% 0px -70% 0px" },
);
document.querySelectorAll("section").forEach((section) => seen.observe(section));
