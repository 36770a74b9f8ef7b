// The image that Browse opens with: its answer, and its heat map, which is on at first.

import { onKey } from "../shared/shell.js";
import { detailOf, headlineOf } from "../shared/translate.js";
import { ScanViewer } from "../shared/viewer.js";

const lead = document.getElementById("lead");
const scan = new ScanViewer(lead.querySelector(".scan"));
const field = (name) => lead.querySelector(`[data-field=${name}]`);

async function explain({ on, class: name }) {
  if (!on) return;
  const query = new URLSearchParams({ explain: "true", ...(name && { explain_class: name }) });
  const answer = await fetch(`${lead.dataset.url}?${query}`, { headers: { Accept: "application/json" } });
  if (!answer.ok) {
    scan.toggle(false); // the host is busy: the image stays as it is
    return;
  }
  const { prediction } = await answer.json();
  field("says").textContent = headlineOf(prediction);
  field("kind").textContent = detailOf(prediction);
  if (scan.explained.on && scan.explained.class === name) scan.heat(prediction.explanation);
}

scan.root.addEventListener("explain", ({ detail }) => {
  explain(detail).catch(() => {}); // offline: the image stays as it is
});
onKey(({ key }) => key === "h" && (scan.toggle(), true));
scan.toggle(true);
