// One file's answer on one page of paper. It is always in the page, and shown by printing alone.

import { fillBars } from "../shared/bars.js";
import { colour, opacityOf } from "../shared/viewer.js";
import { dataUrl, fieldsOf, placeOf, titles } from "./answer-text.js";
import { detailOf, headlineOf, language, reasonOf, say } from "../shared/translate.js";

const sheet = document.getElementById("sheet");
const field = fieldsOf(sheet);
const SIDE = 640; // pixels of the heat map's longer side

/** Fills the sheet and opens the browser's print dialog, which also saves as PDF. */
export async function print(job) {
  await fill(job);
  document.documentElement.dataset.sheet = "";
  addEventListener("afterprint", () => delete document.documentElement.dataset.sheet, { once: true });
  window.print();
}

async function fill({ file, answer, model }) {
  field.date.textContent = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short" }).format(new Date());
  field.says.textContent = headlineOf(answer);
  field.reason.textContent = detailOf(answer) || reasonOf(answer);
  fillBars(field.bars, answer);
  field.name.textContent = file.name;
  field.slice.textContent = placeOf(answer);
  field["slice-row"].hidden = answer.slice === null;
  field.network.textContent = [model.name, model.version].filter(Boolean).join(" ");
  field.sha.textContent = model.sha256;
  field.image.src = dataUrl(answer.preview);
  const { explanation } = answer;
  field["heat-figure"].hidden = !explanation;
  await field.image.decode();
  if (!explanation) return;
  field["heat-caption"].textContent = say("heat_for", { class: titles[explanation.class] });
  field.heat.src = overlaid(field.image, explanation);
  await field.heat.decode();
}

/** A data address of the picture with the heat map over it, as the viewer draws it. */
function overlaid(image, explanation) {
  const { naturalWidth, naturalHeight } = image;
  const scale = SIDE / Math.max(naturalWidth, naturalHeight);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: Math.round(naturalWidth * scale), height: Math.round(naturalHeight * scale) });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  context.globalAlpha = 0.6;
  context.drawImage(painted(explanation), 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}

function painted({ width, height, values }) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  values.flat().forEach((value, cell) => pixels.data.set([...colour(value), Math.round(opacityOf(value) * 255)], cell * 4));
  context.putImageData(pixels, 0, 0);
  return canvas;
}
