// The answer for a series in its card: what it comes to, and the slices with the highest probability.

import { dataUrl } from "./answer-text.js";
import { percent, say } from "../shared/translate.js";

const HIGHEST = 8; // slices that are shown first

export function drawSeries(job, field, announce) {
  const [said, why] = saidOf(job.seriesAnswer, job.answer.slices);
  field["series-says"].textContent = said;
  const { unread } = job.seriesAnswer;
  const left = unread.length ? say("series_unread", { slices: unread.join(", ") }) : "";
  field["series-why"].textContent = [why, left].filter(Boolean).join(" ");
  field.highest.replaceChildren(...job.highest.slice(0, HIGHEST).map((answer) => picture(answer, () => job.show(answer.slice))));
  field.series.hidden = false;
  announce(`${said}. ${why}`);
}

function picture({ preview, slice, tumor_probability: tumor }, press) {
  const item = document.createElement("li");
  const button = Object.assign(document.createElement("button"), { type: "button" });
  const text = Object.assign(document.createElement("span"), { className: "mono", textContent: percent(tumor) });
  button.append(Object.assign(new Image(preview.width, preview.height), { src: dataUrl(preview), alt: say("slice", { slice }) }), text);
  button.addEventListener("click", press);
  item.append(button);
  return item;
}

/** The answer in words. */
function saidOf({ finding, neighbors, needed, first, last, brain, with_tumor: seen }, count) {
  const range = { count: neighbors, first, last };
  if (finding === "tumor") return [say("series_tumor"), say("series_neighbors", range)];
  if (finding === "notumor") return [say("series_none"), say("series_none_why", { count })];
  if (seen) return [say("series_open"), `${say("series_neighbors", range)} ${say("series_needed", { needed })}`];
  return [say("series_open"), say("series_few", { brain, count })];
}
