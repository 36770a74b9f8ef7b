// Enhances the sample page: swaps samples in place, with the keyboard too. Without it every link loads a page.

import { fillBars } from "../shared/bars.js";
import { gaveUp, pause, sleep } from "../shared/retry.js";
import { mark, moveTo, onKey } from "../shared/shell.js";
import { ScanViewer } from "../shared/viewer.js";
import { detailOf, headlineOf, language, milliseconds, reasonOf, say, verdictOf } from "../shared/translate.js";

const viewer = document.getElementById("viewer");
const field = Object.fromEntries(
  [...viewer.querySelectorAll("[data-field]")].map((element) => [element.dataset.field, element]),
);
const bars = new Map([...viewer.querySelectorAll("[data-class]")].map((bar) => [bar.dataset.class, bar]));
const title = (label) => bars.get(label).dataset.title;
const query = location.search;
const scan = new ScanViewer(viewer.querySelector(".scan"));

let currentId = viewer.dataset.id;
let running = null; // AbortController of the sample being loaded
let listing = null; // promise of the samples in the current selection
const maps = new Map(); // explanations by their address; a map holds 12,544 numbers

function samples() {
  listing ??= fetchJson(viewer.dataset.samplesUrl).then((answer) => answer.samples);
  listing.catch(() => { listing = null; });
  return listing;
}

async function fetchJson(url, signal) {
  for (let tries = 0; ; tries += 1) {
    const answer = await fetch(url, { signal, headers: { Accept: "application/json" } });
    if (answer.ok) return answer.json();
    const seconds = pause(answer.status, answer.headers.get("Retry-After"), tries);
    if (seconds === null) throw new Error(gaveUp(answer.status) || say("server_answered", { status: answer.status }));
    field.announce.textContent = field.waiting.textContent = say("asked_again", { seconds });
    field.waiting.hidden = false;
    try { await sleep(seconds * 1000, signal); } finally { field.waiting.hidden = true; }
  }
}

const pageUrl = (id) => `/samples/${id}${query}`;

// The heat map is on at first. Where it is off, or of another class, the address says so, so that a link shows the same.
const HEAT = /^#heat=(\w+)$/;
const PLAIN = "#plain";

function heatMark() {
  const { on, class: name } = scan.explained;
  if (!on) return PLAIN;
  return name ? `#heat=${name}` : "";
}

function setBusy(busy) {
  field.report.setAttribute("aria-busy", String(busy));
  scan.busy(busy);
}

const planeName = (plane) =>
  ["axial", "coronal", "sagittal"].includes(plane) ? say(`plane_${plane}`) : plane ?? "";

function describe(sample, list) {
  const place = list.findIndex((other) => other.id === sample.id);
  const before = list[(place - 1 + list.length) % list.length];
  const after = list[(place + 1) % list.length];
  field.id.textContent = field["paper-id"].textContent = sample.id;
  field.plane.textContent = planeName(sample.plane);
  field.contrast.textContent = sample.contrast ?? "";
  field.size.textContent = `${sample.width} × ${sample.height}`;
  field["plane-fact"].textContent = planeName(sample.plane) || say("not_stated");
  field["contrast-fact"].textContent = sample.contrast ?? say("not_stated");
  field.origin.textContent = say(sample.origin);
  field.seed.textContent = sample.seed ?? say("none");
  field.position.textContent = say("position", { place: place + 1, count: list.length });
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
  const { label, abstained } = answer.prediction;
  const result = abstained ? "unsure" : label === answer.true_label ? "right" : "wrong";
  const reason = reasonOf(answer.prediction);
  field.stamp.className = `stamp ${result}`;
  field.stamp.querySelector("use").setAttribute("href", `#glyph-${result}`);
  field.stamp.querySelector("span").textContent = say(result);
  field.says.textContent = headlineOf(answer.prediction);
  field.kind.textContent = detailOf(answer.prediction);
  field.doubt.hidden = !abstained;
  field["doubt-reason"].textContent = reason;
  field.true.textContent = title(answer.true_label);
  field.summary.textContent = bars.get(answer.true_label).dataset.summary;
  field.glyph.setAttribute("href", `#glyph-${answer.true_label}`);
  fillBars(viewer.querySelector(".bars"), answer.prediction, answer.true_label);
  field.time.textContent = milliseconds(answer.milliseconds);
  document.title = `${title(answer.true_label)}, ${answer.id} · ${viewer.dataset.project}`;
  const said = abstained
    ? say("said_unsure", { reason })
    : say("said", { result: say(result), verdict: verdictOf(answer.prediction) });
  field.announce.textContent = `${said} ${say("true_label", { class: title(answer.true_label) })}`;
}

// The heat map is a request of its own: the answer stays what it is, whatever is drawn over the scan.
async function explain() {
  const { on, class: name } = scan.explained;
  if (!on) return;
  const id = currentId;
  const wanted = new URLSearchParams({ explain: "true", ...(name && { explain_class: name }) });
  const url = `/api/v1/samples/${id}/prediction?${wanted}`;
  const stale = () => id !== currentId || !scan.explained.on || name !== scan.explained.class;
  try {
    if (maps.size > 20) maps.clear();
    if (!maps.has(url)) maps.set(url, (await fetchJson(url)).prediction.explanation);
    if (!stale()) scan.heat(maps.get(url));
  } catch (error) {
    if (!stale()) scan.failed(error.message);
  }
}

async function show(id, { push = true } = {}) {
  let list;
  try { list = await samples(); } catch { location.assign(pageUrl(id)); return; }
  const sample = list.find((other) => other.id === id);
  if (!sample) { location.assign(pageUrl(id)); return; }
  running?.abort();
  const { signal } = (running = new AbortController());
  currentId = id;
  moveTo(pageUrl(id) + heatMark(), { push });
  field.failed.hidden = true;
  field.announce.textContent = "";
  setBusy(true);
  describe(sample, list);
  try {
    const [answer] = await Promise.all([
      fetchJson(sample.prediction_url, signal),
      scan.show({
        src: sample.image_url,
        width: sample.width,
        height: sample.height,
        alt: say("brain_mri", { id }),
      }),
    ]);
    if (signal.aborted) return;
    report(answer);
    setBusy(false);
    explain();
  } catch (error) {
    if (signal.aborted) return;
    scan.busy(false);
    field.reason.textContent = error.message;
    field.failed.hidden = false;
    field.announce.textContent = say("no_answer", { reason: error.message });
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

onKey((event) => {
  const act = {
    ArrowLeft: () => step("prev"),
    ArrowRight: () => step("next"),
    Escape: () => location.assign(field.back.href),
    r: random,
  }[event.key];
  if (!act) return !event.key.startsWith("Arrow") && scan.key(event.key);
  act();
  return true;
});

scan.root.addEventListener("explain", () => {
  mark(heatMark());
  explain();
});
addEventListener("beforeprint", () => {
  const date = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short" });
  field.date.textContent = date.format(new Date());
  field.address.textContent = location.href;
});
addEventListener("popstate", () => {
  const id = location.pathname.split("/").pop();
  followMark();
  if (id !== currentId) show(id, { push: false });
});
field.retry.addEventListener("click", () => show(currentId, { push: false }));

/** Shows or hides the heat map as the address says. */
function followMark() {
  if (location.hash === PLAIN) {
    if (scan.explained.on) scan.toggle(false);
    return;
  }
  const name = HEAT.exec(location.hash)?.[1];
  const wanted = bars.has(name) ? name : null;
  if (!scan.explained.on || scan.explained.class !== wanted) scan.ask(wanted);
}
followMark();

const marked = viewer.querySelector(".roll [aria-current]");
if (marked) centre(marked);
