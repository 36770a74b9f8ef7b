// A study: a folder or a zip archive. Its series are sorted out by the server from the first bytes of
// each file; the best one is opened, and any other that is a brain MRI when it is asked for.

import { isZip } from "./intake.js";
import { Job } from "./job.js";
import { pairsOf } from "./pairs.js";
import { send } from "./send.js";
import { SeriesJob } from "./series-job.js";
import { unzip } from "./zip.js";
import { say } from "../shared/translate.js";

const HEAD = 65536; // bytes of a file in which the server looks
const SENT = 12 * 2 ** 20; // bytes of all these together: the first answer waits for them
const ROOM = 400; // bytes of a request for each file, besides its content
const FEWEST = 4096; // bytes of a file, below which a header does not fit
const PICTURES = 500; // of an archive or a folder, at most
const MARK = 128; // where a DICOM file says that it is one
const PICTURE = /\.(png|jpe?g|jp2|webp|bmp|gif|tiff?|hei[cf]|avif|nii|nii\.gz|mgz|mgh)$/i;
const HIDDEN = /(^|\/)(\.|__MACOSX|DICOMDIR$)/;

export class Study {
  /** `show(make)` shows the job that `make(changed)` makes; `take(files)` takes pictures of their own. */
  constructor({ root, url, settings, show, take }) {
    Object.assign(this, { root, url, settings, show, takePictures: take });
    [this.note, this.list, this.left] = ["study-note", "study-series", "study-left"].map((id) => document.getElementById(id));
  }

  /** Takes files of a folder, or archives. */
  async take(files) {
    this.root.hidden = false;
    this.list.replaceChildren();
    this.left.textContent = "";
    this.#say(say("study_sorting"));
    try {
      const entries = (await Promise.all(files.map(entriesOf))).flat().filter(({ name }) => !HIDDEN.test(name));
      const halves = pairsOf(entries).flat();
      const pictures = entries.filter((entry) => PICTURE.test(entry.name) || halves.includes(entry));
      const others = entries.filter((entry) => !pictures.includes(entry));
      if (pictures.length && !(await someDicom(others))) await this.#openPictures(pictures);
      else this.#draw(await this.#sorted(others), others, pictures.length);
    } catch (error) {
      this.#say([error.title ?? say("study_damaged"), error.detail].filter(Boolean).join(" "));
    }
  }

  /** The API's list of series, from the first bytes of each file. */
  async #sorted(entries) {
    const most = Math.min(HEAD, Math.floor(SENT / Math.max(entries.length, 1)) - ROOM);
    if (!entries.length || most < FEWEST) throw new StudyError(say(entries.length ? "study_too_many" : "study_empty"));
    const heads = [];
    for (const entry of entries) heads.push(new File([await entry.read(most)], entry.name)); // one at a time in memory
    const waking = (text) => this.#say(text ?? say("study_sorting"));
    return send(`${this.url}?read=false`, heads, { signal: new AbortController().signal, waking });
  }

  async #openPictures(entries) {
    if (entries.length > PICTURES) throw new StudyError(say("study_too_many"));
    const files = [];
    for (const { name, read } of entries) files.push(new File([await read(this.settings.limit)], name));
    this.root.hidden = true;
    this.takePictures(files);
  }

  #draw({ series, chosen, left_out: left }, entries, pictures) {
    const one = chosen === null ? null : series[chosen];
    this.#say(one ? whyOf(one, series) : say("study_none"));
    const open = (found) => this.#open(found, nameOf(found), found.order.map((number) => entries[number]));
    this.list.replaceChildren(...series.map((found, number) => item(found, number === chosen, () => open(found))));
    const count = left.length + pictures;
    this.left.textContent = count ? say("study_left", { count }) : "";
    if (one) open(one);
  }

  /** Opens a series; one of a single file is a volume as any other. */
  async #open(series, name, entries) {
    const { settings } = this;
    if (entries.length > 1) {
      this.show((changed) => new SeriesJob(series, name, entries, { ...settings, changed }));
      return;
    }
    const [entry] = entries;
    const file = new File([await entry.read(settings.limit)], entry.name);
    this.show((changed) => new Job(file, { ...settings, changed }));
  }

  #say(text) {
    this.note.textContent = text;
  }
}

/** What a study cannot be taken for; `title` is in the visitor's language. */
class StudyError extends Error {
  title = this.message;
}

async function someDicom(entries) {
  for (const { read } of entries) {
    const head = new Uint8Array(await (await read(MARK + 4)).arrayBuffer());
    if (new TextDecoder().decode(head.subarray(MARK)) === "DICM") return true;
  }
  return false;
}

async function entriesOf(file) {
  if (isZip(file)) return unzip(file);
  return [{ name: file.webkitRelativePath || file.name, size: file.size, read: (most) => Promise.resolve(file.slice(0, most)) }];
}

const nameOf = ({ description, contrast }) => description ?? say(`contrast_${contrast}`);

function whyOf(one, series) {
  if (series.filter(({ not_answered: why }) => !why).length === 1) return say("study_only");
  return say(one.contrast === "t1c" ? "study_best" : "study_rest");
}

function item(found, chosen, open) {
  const row = document.createElement("li");
  const about = [
    found.plane && say(`plane_${found.plane}`), say(`contrast_${found.contrast}`), say("study_slices", { count: found.slices }),
    found.repeats && say("study_repeats", { count: found.repeats }),
  ];
  const name = Object.assign(document.createElement("strong"), { textContent: nameOf(found) });
  const text = Object.assign(document.createElement("span"), { className: "fine", textContent: about.filter(Boolean).join(" · ") });
  row.append(name, text);
  if (found.not_answered) {
    row.append(Object.assign(document.createElement("span"), { className: "fine", textContent: say(`unfit_${found.not_answered.replace("-", "_")}`) }));
  } else {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "button small", textContent: say(chosen ? "study_opened" : "study_open"), disabled: chosen });
    button.addEventListener("click", () => { Object.assign(button, { disabled: true, textContent: say("study_opened") }); open(); });
    row.append(button);
  }
  return row;
}
