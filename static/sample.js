// Enhances the sample page: swaps samples in place, with the keyboard too. Without it every link loads a page.

import { milliseconds, percent, say } from "./words.js";

const viewer = document.getElementById("viewer");
const field = Object.fromEntries(
  [...viewer.querySelectorAll("[data-field]")].map((element) => [element.dataset.field, element]),
);
const bars = new Map([...viewer.querySelectorAll("[data-class]")].map((bar) => [bar.dataset.class, bar]));
const title = (label) => bars.get(label).dataset.title;
const query = location.search;

let currentId = viewer.dataset.id;
let running = null; // AbortController of the sample being loaded
let listing = null; // promise of the samples in the current selection

function samples() {
  listing ??= fetchJson(viewer.dataset.samplesUrl).then((answer) => answer.samples);
  listing.catch(() => { listing = null; });
  return listing;
}

async function fetchJson(url, signal) {
  const answer = await fetch(url, { signal, headers: { Accept: "application/json" } });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail || say("server_answered", { status: answer.status }));
  }
  return answer.json();
}

const pageUrl = (id) => `/samples/${id}${query}`;

function setBusy(busy) {
  field.report.setAttribute("aria-busy", String(busy));
  field.film.classList.toggle("is-loading", busy);
  field.film.classList.toggle("is-reading", busy);
}

function describe(sample, list) {
  const place = list.findIndex((other) => other.id === sample.id);
  const before = list[(place - 1 + list.length) % list.length];
  const after = list[(place + 1) % list.length];
  field.id.textContent = sample.id;
  field.plane.textContent = sample.plane ?? "";
  field.contrast.textContent = sample.contrast ?? "";
  field.size.textContent = `${sample.width} × ${sample.height}`;
  field["plane-fact"].textContent = sample.plane ?? "not stated";
  field["contrast-fact"].textContent = sample.contrast ?? "not stated";
  field.origin.textContent = sample.origin === "phantom" ? "synthetic phantom" : "dataset, testing part";
  field.seed.textContent = sample.seed ?? "none";
  field.position.textContent = `${place + 1} of ${list.length}`;
  field.prev.href = pageUrl(before.id);
  field.next.href = pageUrl(after.id);
  field.back.hash = `s-${sample.id}`;
  for (const link of viewer.querySelectorAll(".roll a")) {
    if (link.dataset.id === sample.id) {
      link.setAttribute("aria-current", "page");
      centre(link);
    } else link.removeAttribute("aria-current");
  }
}

function centre(link) {
  const roll = link.closest("ul");
  roll.scrollLeft += link.getBoundingClientRect().left - roll.getBoundingClientRect().left - (roll.clientWidth - link.clientWidth) / 2;
}

function report(answer) {
  const { label, probabilities, abstained, reason, in_distribution: isMri } = answer.prediction;
  const result = abstained ? "unsure" : label === answer.true_label ? "right" : "wrong";
  const word = { right: "Right", wrong: "Wrong", unsure: "Can't tell" }[result];
  field.stamp.className = `stamp ${result}`;
  field.stamp.querySelector("use").setAttribute("href", `#glyph-${result}`);
  field.stamp.querySelector("span").textContent = word;
  field.predicted.textContent = abstained ? "I can't tell" : title(label);
  field.doubt.hidden = !abstained;
  field["doubt-reason"].textContent = reason ?? "";
  field.guess.textContent = abstained && isMri ? `Its best guess would be ${title(label)}.` : "";
  field.true.textContent = title(answer.true_label);
  field.summary.textContent = bars.get(answer.true_label).dataset.summary;
  field.glyph.setAttribute("href", `#glyph-${answer.true_label}`);
  for (const [name, bar] of bars) {
    bar.classList.toggle("is-predicted", name === label);
    bar.classList.toggle("is-true", name === answer.true_label);
    bar.querySelector(".bar-value").textContent = percent(probabilities[name]);
    bar.querySelector(".bar-fill").setAttribute("width", `${(probabilities[name] * 100).toFixed(2)}%`);
  }
  field.time.textContent = milliseconds(answer.milliseconds);
  document.title = `${title(answer.true_label)}, ${answer.id} · ${viewer.dataset.project}`;
  field.announce.textContent =
    (abstained
      ? `The network can't tell. ${reason} `
      : `${word}: the network says ${title(label)}, ${percent(answer.prediction.confidence)}. `) +
    `The label is ${title(answer.true_label)}.`;
}

async function loadImage(sample, signal) {
  const next = new Image();
  next.src = sample.image_url;
  await next.decode().catch(() => { throw new Error(say("image_failed")); });
  if (signal.aborted) return;
  Object.assign(field.image, { width: sample.width, height: sample.height, alt: `Brain MRI ${sample.id}` });
  field.image.src = sample.image_url;
  field.film.classList.remove("is-loading"); // the picture may be looked at while the network is busy
}

async function show(id, { push = true } = {}) {
  let list;
  try { list = await samples(); } catch { location.assign(pageUrl(id)); return; }
  const sample = list.find((other) => other.id === id);
  if (!sample) { location.assign(pageUrl(id)); return; }
  running?.abort();
  const { signal } = (running = new AbortController());
  currentId = id;
  if (push) history.pushState(null, "", pageUrl(id));
  field.failed.hidden = true;
  field.announce.textContent = "";
  setBusy(true);
  describe(sample, list);
  try {
    const [answer] = await Promise.all([
      fetchJson(sample.prediction_url, signal),
      loadImage(sample, signal),
    ]);
    if (signal.aborted) return;
    report(answer);
    setBusy(false);
  } catch (error) {
    if (signal.aborted) return;
    field.film.classList.remove("is-loading", "is-reading");
    field.reason.textContent = error.message;
    field.failed.hidden = false;
    field.announce.textContent = `The answer did not arrive. ${error.message}`;
  }
}

// from a sample outside the selection the server has already worked out both neighbours
const idOf = (link) => decodeURIComponent(new URL(link.href).pathname.split("/").pop());
const step = (name) => show(idOf(field[name]));

async function random() {
  let list;
  try { list = await samples(); } catch { location.assign(field.random.href); return; }
  const others = list.filter((sample) => sample.id !== currentId);
  if (others.length) show(others[Math.floor(Math.random() * others.length)].id);
}

viewer.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link === field.random) { event.preventDefault(); random(); }
  else if (link === field.prev || link === field.next || link.closest(".roll")) {
    event.preventDefault();
    show(idOf(link));
  }
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.target.closest("input, select, textarea")) return;
  const act = {
    ArrowLeft: () => step("prev"),
    ArrowRight: () => step("next"),
    Escape: () => location.assign(field.back.href),
    r: random,
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

addEventListener("popstate", () => show(location.pathname.split("/").pop(), { push: false }));
field.retry.addEventListener("click", () => show(currentId, { push: false }));

const marked = viewer.querySelector(".roll [aria-current]");
if (marked) centre(marked);
