// The ways in: the file button, the phone's photos, folders, drag and drop, paste, and an image of the gallery.

import { say } from "../shared/translate.js";

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

const LOOSE = 3; // files that may be DICOM and are taken for pictures of their own
const NO_PICTURE = /^[^.]*$|^[\d.]+$|\.(dcm|dicom|ima)$/i;

export const isZip = ({ name }) => /\.zip$/i.test(name);

/** Whether files are a study, and not pictures of their own: an archive, or many without pictures. */
export const isStudy = (files) =>
  files.some(isZip) || (files.length > LOOSE && files.every(({ name }) => NO_PICTURE.test(name)));

/** Calls `take(files, truths)` for each lot of files, `takeFolder(files)` for those of folders; `complain(text)` where there is none to be had. */
export function listen({ form, sample, samplesUrl, take, takeFolder, complain }) {
  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      (input.webkitdirectory ? takeFolder : take)([...input.files]);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  form.addEventListener("submit", (event) => event.preventDefault()); // for browsers without scripting queries
  listenToDrops(form, { take, takeFolder, complain });
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

function listenToDrops(form, { take, takeFolder, complain }) {
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
    const folders = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory);
    const names = folders.map(({ name }) => name);
    const files = [...event.dataTransfer.files].filter(({ name }) => !names.includes(name));
    if (files.length) take(files);
    if (folders.length) gather(folders).then(takeFolder, () => complain(say("no_folders")));
  });
}

/** The files of folders, and of all folders in them. */
async function gather(folders) {
  const found = [];
  for (const entry of folders) {
    if (entry.isFile) {
      found.push(await new Promise((resolve, reject) => { entry.file(resolve, reject); }));
      continue;
    }
    const reader = entry.createReader();
    for (let some; (some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); })).length;) found.push(...await gather(some));
  }
  return found;
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
