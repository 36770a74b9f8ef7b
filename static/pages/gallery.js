// Enhances browsing: filters, order and search without a load, arrows from image to image, and marks
// that appear as the network reads the images.

import { moveTo, onKey } from "../shared/shell.js";
import { say } from "../shared/translate.js";

const PAUSE = 1500; // milliseconds between looks while images are unread
const PATIENCE = 40; // looks without any news before giving up
const TYPING = 250; // milliseconds without a letter before a search

const form = document.getElementById("filters");
const results = () => document.getElementById("results");
const unread = () => Number(document.getElementById("board").dataset.unread);
const FILTERS = ["class", "result", "sure", "predicted", "q", "sort"];
let wanted = new URL(location.href); // ahead of the page while an answer is on its way
let asked = 0; // counts the addresses asked for, so that a late page does not replace a newer one

function swap(page, id) {
  const fresh = page.getElementById(id);
  const old = document.getElementById(id);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const marker = focused?.id ? `#${focused.id}` : focused?.getAttribute("href") && `[href="${CSS.escape(focused.getAttribute("href"))}"]`;
  old.replaceWith(document.adoptNode(fresh));
  if (marker) fresh.querySelector(marker)?.focus({ preventScroll: true });
}

async function pageAt(url) {
  const answer = await fetch(url, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(say("server_answered", { status: answer.status }));
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/** Shows another selection in place. */
async function go(url, { push = true } = {}) {
  const turn = (asked += 1);
  wanted = new URL(url, location.href);
  for (const field of form.querySelectorAll(".field > :is(input, select)")) {
    const value = wanted.searchParams.get(field.name) ?? "";
    if (field.value.trim() !== value) field.value = value;
  }
  results().setAttribute("aria-busy", "true");
  try {
    const page = await pageAt(url);
    if (turn !== asked) return;
    moveTo(url, { push });
    for (const id of ["board", "chips", "results"]) swap(page, id);
    const count = Number(results().dataset.count);
    document.getElementById("told").textContent = count === 1 ? say("one_image") : say("images", { count });
  } catch {
    location.assign(url); // the browser says what is wrong
  }
}

/** The address of what is wanted and filled in, with a change, without what is empty. */
function address(change = {}) {
  const value = (name) =>
    change[name] ?? form.querySelector(`.field > [name=${name}]`)?.value ?? wanted.searchParams.get(name) ?? "";
  const query = new URLSearchParams(FILTERS.map((name) => [name, value(name).trim()]).filter(([, text]) => text));
  return query.size ? `${form.action}?${query}` : form.action;
}

form.querySelector("[data-show]").hidden = true; // what is chosen is shown at once
const opener = form.querySelector("[data-filters]");
opener.hidden = false; // the style sheet shows it where there is little room
opener.addEventListener("click", () => {
  const open = form.classList.toggle("is-open");
  opener.setAttribute("aria-expanded", String(open));
});
form.classList.add("is-foldable");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  go(address());
});
form.addEventListener("change", (event) => {
  if (event.target.localName === "select") go(address());
});
let typing;
form.elements.q.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    if (address() !== wanted.href) go(address());
  }, TYPING);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("#chips a, [data-clear], .empty a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const { filter, value } = link.dataset;
  go(filter ? address({ [filter]: value }) : link.href);
});
addEventListener("popstate", () => go(location.href, { push: false }));

/** The film that an arrow leads to: the next one, or the nearest one a row up or down. */
function neighbour(film, key) {
  const films = [...document.querySelectorAll(".film")];
  const here = films.indexOf(film);
  if (key === "ArrowLeft") return films[here - 1];
  if (key === "ArrowRight") return films[here + 1];
  const box = film.getBoundingClientRect();
  const off = (other) => {
    const { left, top } = other.getBoundingClientRect();
    return { other, rows: key === "ArrowDown" ? top - box.top : box.top - top, aside: Math.abs(left - box.left) };
  };
  const beyond = films.map(off).filter(({ rows }) => rows > box.height / 2);
  const nearest = Math.min(...beyond.map(({ rows }) => rows));
  return beyond.filter(({ rows }) => rows < nearest + box.height / 2).sort((a, b) => a.aside - b.aside)[0]?.other;
}

onKey(({ key, target }) => {
  if (key === "r") document.querySelector("[data-random]")?.click();
  else if (key === "/") form.elements.q.focus();
  else if (target.matches(".film") && /^Arrow(Left|Right|Up|Down)$/.test(key)) neighbour(target, key)?.focus();
  else return false;
  return true;
});

async function follow() {
  for (let looks = 0; unread() > 0 && looks < PATIENCE; looks += 1) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    if (document.hidden) continue;
    const turn = asked;
    const page = await pageAt(location.href);
    if (turn !== asked || Number(page.getElementById("board").dataset.unread) === unread()) continue;
    for (const id of ["board", "chips", "results"]) swap(page, id);
    looks = 0;
  }
}

// back from an image, the arrows go on from it
if (location.hash.startsWith("#s-")) document.getElementById(location.hash.slice(1))?.focus();
follow().catch(() => {}); // offline: the page stays as it is, and its reload link remains
