// An answer in words, in the visitor's language; the API's own are English.

import { language, reasonOf, say, verdictOf } from "../shared/translate.js";

export const titles = JSON.parse(document.getElementById("analyse").dataset.titles);
const toldRight = JSON.parse(document.getElementById("analyse").dataset.toldRight);
const amount = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });

/** One sentence for whoever cannot see the page. */
export const sentence = (answer) =>
  (answer.abstained
    ? say("said_unsure", { reason: reasonOf(answer) })
    : say("analyse_said", { verdict: verdictOf(answer) }));

/** "axial 77 (0–154)", or "" where the file has one slice. */
export function placeOf({ plane, slice, slices }) {
  if (slice === null) return "";
  return say("slice_place", { plane: plane ? say(`plane_${plane}`) : "", slice, last: slices - 1 }).trim();
}

export function bytes(size) {
  if (size < 1024) return say("size_bytes", { size });
  return size < 2 ** 20 ? say("size_kib", { size: amount.format(size / 1024) }) : say("size_mib", { size: amount.format(size / 2 ** 20) });
}

export const dataUrl = ({ media_type: type, data }) => `data:${type};base64,${data}`;

/** The elements below a root that carry data-field, by name. */
export const fieldsOf = (root) =>
  Object.fromEntries([...root.querySelectorAll("[data-field]")].map((element) => [element.dataset.field, element]));

/** How many pictures of this contrast, or of any where it is not known, the network tells right; "" where nobody measured. */
export function toldRightOf({ in_distribution: isMri, contrast }) {
  const known = toldRight[contrast];
  const found = known ?? toldRight[""];
  if (!isMri || !found) return "";
  return say(known ? "told_right_contrast" : "told_right", { ...found, contrast: known && say(`contrast_${contrast}`) });
}
