// The table of all files, and the same as CSV and JSON: made in the browser, from what the API said.

import { placeOf } from "./answer-text.js";
import { milliseconds, percent, say, verdictOf } from "../shared/translate.js";

const FIELDS = [
  "filename", "plane", "slice", "slices", "verdict", "finding", "likelihood", "tumor_probability", "kind", "label", "confidence", "prediction_set", "abstained", "reason",
  "in_distribution", "ood_score", "ood_threshold", "milliseconds",
];

/** Draws a row for each card. */
export function drawRows(body, cards) {
  body.replaceChildren(...cards.map(({ job, root }) => {
    const row = document.createElement("tr");
    const cell = (text, attributes = {}) => {
      const made = Object.assign(document.createElement("td"), attributes);
      made.append(text);
      row.append(made);
    };
    const link = Object.assign(document.createElement("a"), { href: `#${root.id}`, textContent: job.file.name });
    const head = Object.assign(document.createElement("th"), { scope: "row" });
    head.append(link);
    row.append(head);
    const names = [...body.closest("table").querySelectorAll("thead [data-class]")].map((column) => column.dataset.class);
    const { answer } = job;
    if (!answer) {
      cell(stateOf(job), { colSpan: names.length + 3, className: "fine" });
      return row;
    }
    const read = job.answers.length;
    cell(verdictOf(answer), { className: answer.abstained ? "unsure" : "" });
    cell(placeOf(answer) + (read > 1 ? ` ${say("slices_read", { read })}` : ""), { className: "mono" });
    for (const name of names) cell(percent(answer.probabilities[name]), { className: name === answer.label ? "number best" : "number" });
    cell(milliseconds(answer.milliseconds), { className: "number" });
    return row;
  }));
}

function stateOf({ state, error }) {
  if (state === "failed") return error.title;
  return say({ cancelled: "cancelled", waiting: "stage_waiting" }[state] ?? "stage_reading");
}

/** Every answer and every error, without pictures and heat maps; for a volume each slice that was read. */
export function entriesOf(jobs) {
  return jobs.flatMap(({ file, answers, error, state }) =>
    (answers.length || state !== "failed"
      ? answers.map(({ preview, explanation, ...entry }) => entry)
      : [{ filename: file.name, error: { title: error.title, detail: error.detail || error.message } }]));
}

export const toJson = (jobs) => `${JSON.stringify({
  created: new Date().toISOString(),
  notice: "For learning and research, never for diagnosis.",
  model: modelOf(jobs),
  predictions: entriesOf(jobs),
}, null, 2)}\n`;

/** RFC 4180, with the mark by which spreadsheets know UTF-8. */
export function toCsv(jobs) {
  const entries = entriesOf(jobs);
  const classes = Object.keys(entries.find((entry) => entry.probabilities)?.probabilities ?? {});
  const { name, version, sha256 } = modelOf(jobs) ?? {};
  const header = [...FIELDS, ...classes.map((one) => `probability_${one}`), "error", "model", "model_version", "model_sha256"];
  const rows = entries.map((entry) => [
    ...FIELDS.map((field) => (Array.isArray(entry[field]) ? entry[field].join(" ") : entry[field])),
    ...classes.map((one) => entry.probabilities?.[one]),
    entry.error && `${entry.error.title} ${entry.error.detail}`,
    name, version, sha256,
  ]);
  return `\ufeff${[header, ...rows].map((row) => row.map(quote).join(",")).join("\r\n")}\r\n`;
}

const modelOf = (jobs) => jobs.find((job) => job.model)?.model ?? null;

function quote(value) {
  let text = String(value ?? "");
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`; // a name must not become a formula
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Lets a link download text that is made when it is followed. */
export function offer(link, type, make) {
  link.addEventListener("click", () => {
    const before = link.href;
    link.href = URL.createObjectURL(new Blob([make()], { type }));
    setTimeout(() => { URL.revokeObjectURL(link.href); link.href = before; }, 10_000);
  });
}
