// Judges the network on a folder of labelled pictures: sends them a few at a time, then asks for the report.

import { SendError, send } from "../analyse/send.js";
import { language, percent } from "../shared/translate.js";

const root = document.querySelector("#judge");
const { casesUrl, reportUrl, maxCases, maxFiles, maxBytes, progressText, summaryText, tooManyText, noneText, failedText } = root.dataset;
const input = document.querySelector("#folder");
const bar = document.querySelector("#progress");
const note = document.querySelector("#note");
const stop = document.querySelector("#stop");
const found = document.querySelector("#found");
const number = new Intl.NumberFormat(language);
const fill = (text, values) => text.replace(/%(\w+)%/g, (_, name) => values[name]);

const LOT = 8 * 2 ** 20; // bytes that are sent at once, so that the bar moves
const HIDDEN = /(^|\/)([._]|__MACOSX\/)/; // what systems leave in folders

let running = null;

input.addEventListener("change", () => {
  const files = [...input.files].filter(({ webkitRelativePath }) => !HIDDEN.test(webkitRelativePath.split("/").slice(1).join("/")));
  input.value = ""; // so that the same folder can be chosen again
  judge(files);
});
stop.addEventListener("click", () => running?.abort());

async function judge(files) {
  running?.abort();
  found.hidden = true;
  if (!files.length) return complain(noneText);
  if (files.length > maxCases) return complain(fill(tooManyText, { count: number.format(files.length) }));
  const mine = running = new AbortController();
  note.textContent = "";
  show(true);
  try {
    const cases = await casesOf(files, mine.signal);
    const name = files[0].webkitRelativePath.split("/")[0];
    await report(name, cases, mine.signal);
  } catch (error) {
    if (!mine.signal.aborted) complain(error instanceof SendError ? `${error.message} ${error.detail}` : failedText);
  }
  if (running === mine) show(false);
}

async function casesOf(files, signal) {
  const cases = [];
  const step = () => {
    bar.value = cases.length / files.length;
    note.textContent = fill(progressText, { done: number.format(cases.length), count: number.format(files.length) });
  };
  step();
  for (const lot of lotsOf(files)) {
    const waking = (text) => { if (text) note.textContent = text; };
    try {
      cases.push(...(await send(casesUrl, lot, { signal, waking, nameOf: (file) => file.webkitRelativePath })).cases);
    } catch (error) {
      if (!(error instanceof SendError) || error.again) throw error;
      cases.push(...lot.map((file) => ({ file: file.webkitRelativePath, error: `${error.message} ${error.detail}` })));
    }
    step();
  }
  return cases;
}

/** Files in lots of a few. */
function* lotsOf(files) {
  let lot = [];
  let bytes = 0;
  for (const file of files) {
    if (lot.length && (lot.length >= maxFiles || bytes + file.size > Math.min(LOT, maxBytes))) {
      yield lot;
      [lot, bytes] = [[], 0];
    }
    lot.push(file);
    bytes += file.size;
  }
  yield lot;
}

async function report(name, entries, signal) {
  const errors = entries.filter(({ error }) => error);
  const cases = entries.filter(({ error }) => !error);
  if (!cases.length) return complain(`${noneText} ${errors[0]?.error ?? ""}`);
  const answer = await fetch(reportUrl, {
    method: "POST", signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name, cases, errors }),
  });
  if (!answer.ok) throw new Error(answer.status);
  const { figures, page } = await answer.json();
  const copies = figures.copies?.images ?? 0;
  note.textContent = fill(summaryText, { images: number.format(figures.images), copies: number.format(copies), errors: number.format(errors.length) });
  for (const cell of found.querySelectorAll("[data-figure]")) {
    const value = figures.new?.[cell.dataset.figure];
    cell.textContent = value?.share == null ? "–" : percent(value.share);
    cell.nextElementSibling.textContent = value?.of ? `${number.format(value.right)} / ${number.format(value.of)}, ${percent(value.share_95[0])} – ${percent(value.share_95[1])}` : "";
  }
  offer("#page", page, "text/html");
  offer("#json", `${JSON.stringify(figures, null, 2)}\n`, "application/json");
  found.hidden = false;
  found.querySelector("h2").focus();
}

function offer(link, text, type) {
  const element = document.querySelector(link);
  URL.revokeObjectURL(element.href);
  element.href = URL.createObjectURL(new Blob([text], { type }));
}

function show(busy) {
  bar.hidden = stop.hidden = !busy;
}

function complain(text) {
  note.textContent = text;
  show(false);
}
