// The page for one's own images: takes files in, sends them one by one, shows a card for each.

import { Card } from "./card.js";
import { drawRows, offer, toCsv, toJson } from "./results-table.js";
import { isStudy, listen } from "./intake.js";
import { Job } from "./job.js";
import { joined, pairsOf } from "./pairs.js";
import { print } from "./report-sheet.js";
import { sentence } from "./answer-text.js";
import { Queue } from "./upload-queue.js";
import { say } from "../shared/translate.js";

const page = document.getElementById("analyse");
const [told, note, results, list, tally, batch, rows] =
  ["announce", "note", "results", "cards", "tally", "batch", "rows"].map((id) => document.getElementById(id));
const buttons = { cancel: document.getElementById("cancel-all"), clear: document.getElementById("clear") };

const queue = new Queue(2);
const urls = { predictions: page.dataset.predictionsUrl, slices: page.dataset.slicesUrl };
const limit = Number(page.dataset.maxBytes);
const settings = { queue, urls, limit };
let study = null;
let cards = [];

const jobs = () => cards.map((card) => card.job);
const sameFile = (a, b) => a.name === b.name && a.size === b.size && a.lastModified === b.lastModified;

function take(files, truths = []) {
  if (isStudy(files)) takeStudy(files);
  else if (pairsOf(files).length) joined(files).then(takeFiles);
  else takeFiles(files, truths);
}

function takeFiles(files, truths = []) {
  const fresh = files.filter((file, place) =>
    !jobs().some((job) => sameFile(job.file, file)) && files.findIndex((other) => sameFile(other, file)) === place);
  complain(fresh.length < files.length ? say("already_here") : "");
  const added = fresh.map((file) => add(file, truths[files.indexOf(file)] ?? null));
  draw();
  added[0]?.root.scrollIntoView({ block: "nearest" });
  for (const card of added) run(card);
}

/** Takes a folder or an archive; what that needs is loaded now. */
async function takeStudy(files) {
  try {
    const { Study } = await import("./study.js");
    study ??= new Study({ root: document.getElementById("study"), url: page.dataset.studiesUrl, settings, take, show: (make) => run(show(make)) });
  } catch {
    complain(say("not_reached"));
    return;
  }
  await study.take(files);
}

const add = (file, truth) => show((changed) => new Job(file, { ...settings, truth, changed }));

function show(make) {
  const job = make(() => { card.draw(); draw(); });
  const card = new Card(job, {
    cancel: () => job.cancel(),
    retry: () => run(card),
    remove: () => remove(card),
    report: () => print(job),
    crop: (file) => { take([file]); cards.at(-1).field.name.focus(); },
    announce: (text) => announce(job, text),
  });
  cards.push(card);
  list.append(card.root);
  card.draw();
  return card;
}

/** Tells whoever cannot see the page. */
function announce({ file }, text) {
  told.textContent = `${file.name}: ${text}`;
}

async function run(card) {
  const { job } = card;
  if (job.running) return; // one press, one request
  await job.start(card.tell);
  if (!cards.includes(card)) return;
  const said = { done: () => sentence(job.answer), failed: () => job.error.title, cancelled: () => say("cancelled") }[job.state]();
  announce(job, said);
}

function remove(card) {
  const place = cards.indexOf(card);
  card.job.cancel();
  card.root.remove();
  cards = cards.filter((other) => other !== card);
  draw();
  const next = cards[Math.min(place, cards.length - 1)];
  (next?.field.name ?? document.getElementById("files")).focus();
}

function draw() {
  results.hidden = cards.length === 0;
  page.classList.toggle("has-results", cards.length > 0);
  document.getElementById("results-actions").hidden = cards.length < 2;
  buttons.cancel.hidden = !jobs().some((job) => job.running);
  tally.textContent = say("tally", { done: jobs().filter((job) => job.answer).length, all: cards.length });
  batch.hidden = cards.length < 2 && !jobs().some((job) => job.answers.length > 1);
  if (!batch.hidden) drawRows(rows, cards);
}

function complain(text) {
  note.hidden = !text;
  note.textContent = text;
}

listen({ form: document.getElementById("drop"), sample: document.getElementById("sample"), samplesUrl: page.dataset.samplesUrl, take, takeFolder: takeStudy, complain });
buttons.cancel.addEventListener("click", () => { for (const job of jobs()) job.cancel(); });
buttons.clear.addEventListener("click", () => { for (const card of [...cards]) remove(card); });
offer(document.getElementById("csv"), "text/csv", () => toCsv(jobs()));
offer(document.getElementById("json"), "application/json", () => toJson(jobs()));
