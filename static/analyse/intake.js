// The ways in: the file button, the phone's photos, drag and drop, paste, and an image of the gallery.

import { say } from "../shared/translate.js";

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** Calls `take(files, truths)` for each lot of files; `complain(text)` where there is none to be had. */
export function listen({ form, sample, samplesUrl, take, complain }) {
  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      take([...input.files]);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  form.addEventListener("submit", (event) => event.preventDefault()); // for browsers without scripting queries
  listenToDrops(form, take, complain);
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
  sample.addEventListener("click", async () => {
    if (sample.getAttribute("aria-disabled") === "true") return;
    sample.setAttribute("aria-disabled", "true");
    try {
      await takeSample(samplesUrl, take);
    } catch {
      complain(say("sample_failed"));
    }
    sample.removeAttribute("aria-disabled");
  });
}

function listenToDrops(form, take, complain) {
  let depth = 0; // each element that is entered before the last one is left counts
  const over = (step) => {
    depth = Math.max(depth + step, 0);
    form.classList.toggle("is-over", depth > 0);
  };
  document.addEventListener("dragenter", (event) => { if (carriesFiles(event)) over(1); });
  document.addEventListener("dragleave", (event) => { if (carriesFiles(event)) over(-1); });
  document.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    over(-depth);
    const folders = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()?.isDirectory ?? false);
    const files = [...event.dataTransfer.files].filter((_, place) => !folders[place]);
    if (folders.includes(true)) complain(say("no_folders"));
    if (files.length) take(files);
  });
}

let shown = []; // ids of the samples that were tried, so that the next one is another

async function takeSample(samplesUrl, take) {
  const listing = await fetch(samplesUrl);
  if (!listing.ok) throw new Error(listing.status);
  const { samples } = await listing.json();
  let fresh = samples.filter(({ id }) => !shown.includes(id));
  if (!fresh.length) [fresh, shown] = [samples, []];
  const sample = fresh[Math.floor(Math.random() * fresh.length)];
  const image = await fetch(sample.image_url);
  if (!image.ok) throw new Error(image.status);
  const content = await image.blob();
  shown.push(sample.id);
  const name = `${sample.id}.${content.type.split("/")[1]}`;
  take([new File([content], name, { type: content.type, lastModified: 0 })], [sample.true_label]);
}
