// The slices of a volume: plane, slice and its preview, one read at a time or all of them with a plot.

import { Plot } from "./plot.js";
import { dataUrl, fieldsOf, placeOf, sentence } from "./answer-text.js";
import { say } from "../shared/translate.js";

const CONTACTS = 12; // slices on the contact sheet

const altOf = (slice, unread) => say("slice", { slice }) + (unread ? `: ${say("file_damaged")}` : "");

export class Volume {
  #plane;
  #slice;
  #count = 0;
  #found = null; // the API's answer with the plane's previews
  #busy = false;

  /** `announce(text)` tells whoever cannot see the page what has been read. */
  constructor(root, job, id, announce) {
    this.root = root;
    this.job = job;
    this.announce = announce;
    this.field = fieldsOf(root);
    this.plot = new Plot(this.field, (slice) => this.#choose(slice));
    this.#plane = job.answer.plane;
    this.#slice = job.answer.slice;
    this.name = `${id}-plane`;
    this.#listen();
    this.#load(this.#plane);
  }

  /** Draws what has been read since. */
  draw() {
    const busy = this.#busy;
    for (const button of this.root.querySelectorAll(".chooser-actions [data-act]")) button.setAttribute("aria-disabled", String(busy));
    const every = this.job.every(this.#plane);
    this.field.plot.hidden = !every;
    if (every) this.plot.draw(every, this.#slice);
    this.field["volume-stop"].hidden = !busy;
    this.field["volume-progress"].hidden = !busy;
    this.root.querySelector("[data-act=read]").textContent = say("read_slice", { slice: this.#slice });
    const all = this.root.querySelector("[data-act=read-all]");
    all.textContent = say("read_all", { count: this.#count });
    all.hidden = Boolean(this.job.series); // of which every slice has been read
  }

  #listen() {
    const { slider, number, planes, contact } = this.field;
    slider.addEventListener("input", () => this.#choose(Number(slider.value)));
    number.addEventListener("input", () => { if (number.value !== "" && number.validity.valid) this.#choose(Number(number.value), { typed: true }); });
    number.addEventListener("change", () => this.#choose(number.value === "" ? this.#slice : Number(number.value)));
    number.addEventListener("keydown", (event) => { if (event.key === "Enter") this.#read(); });
    planes.addEventListener("change", (event) => this.#load(event.target.value));
    contact.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.#choose(Number(button.dataset.slice));
    });
    const press = (name, act) => this.root.querySelector(`[data-act=${name}]`).addEventListener("click", act);
    press("before", () => this.#choose(this.#slice - 1));
    press("after", () => this.#choose(this.#slice + 1));
    press("read", () => this.#read());
    press("read-all", () => this.#readAll());
    this.field["volume-stop"].addEventListener("click", () => this.job.cancel());
  }

  async #load(plane) {
    const other = plane !== this.#plane;
    this.#plane = plane;
    this.field["volume-wait"].hidden = Boolean(this.#found);
    this.root.setAttribute("aria-busy", "true");
    try {
      const found = await this.job.slices(plane, { waking: (text) => this.#note(text) });
      if (plane !== this.#plane) return; // another plane was chosen meanwhile
      this.#found = found;
      this.#count = found.slices.length;
      if (other) this.#slice = Math.floor(this.#count / 2);
      this.field["volume-wait"].hidden = true;
      this.field["volume-body"].hidden = false;
      this.#drawPlanes();
      this.#drawContacts();
      this.#choose(this.#slice);
    } catch (error) {
      this.field["volume-wait"].hidden = false;
      this.field["volume-wait"].textContent = error.title ?? say("cancelled");
    } finally {
      if (plane === this.#plane) this.root.setAttribute("aria-busy", "false");
    }
  }

  #drawPlanes() {
    const { planes } = this.field;
    const names = Object.entries(this.#found.planes);
    planes.hidden = names.length === 0;
    if (planes.querySelector("input")) return;
    for (const [plane, count] of names) {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name: this.name, value: plane, checked: plane === this.#plane });
      const number = Object.assign(document.createElement("span"), { className: "count", textContent: count });
      label.append(input, say(`plane_${plane}`), " ", number);
      planes.append(label);
    }
  }

  #drawContacts() {
    const most = Math.min(this.#count, CONTACTS);
    const chosen = Array.from({ length: most }, (_, k) => Math.floor(((k + 0.5) * this.#count) / most));
    this.field.contact.replaceChildren(...chosen.map((slice) => {
      const { preview, unread } = this.#found.slices[slice];
      const button = Object.assign(document.createElement("button"), { type: "button" });
      button.dataset.slice = slice;
      const image = Object.assign(new Image(preview.width, preview.height), { src: dataUrl(preview), alt: altOf(slice, unread) });
      button.append(image, Object.assign(document.createElement("span"), { className: "mono", textContent: slice, ariaHidden: "true" }));
      const item = document.createElement("li");
      item.append(button);
      return item;
    }));
  }

  #choose(wanted, { typed = false } = {}) {
    const slice = Math.min(Math.max(Math.round(wanted) || 0, 0), this.#count - 1);
    this.#slice = slice;
    const { slider, number, range, thumb, contact } = this.field;
    slider.max = number.max = this.#count - 1;
    slider.value = slice;
    if (!typed) number.value = slice;
    slider.setAttribute("aria-valuetext", say("slice_of", { slice, last: this.#count - 1 }));
    range.textContent = say("slice_range", { last: this.#count - 1 });
    const { preview, unread } = this.#found.slices[slice];
    Object.assign(thumb, { src: dataUrl(preview), width: preview.width, height: preview.height, alt: altOf(slice, unread) });
    for (const button of contact.querySelectorAll("button")) {
      button.toggleAttribute("data-chosen", Number(button.dataset.slice) === slice);
    }
    this.draw();
  }

  #read() {
    return this.#work(say("reading_slice", { slice: this.#slice }), async (tell) => {
      const answer = await this.job.read({ ...(this.#plane && { plane: this.#plane }), slice: this.#slice }, tell);
      return `${placeOf(answer)}: ${sentence(answer)}`;
    });
  }

  #readAll() {
    const count = this.#count;
    return this.#work(say("reading_all", { read: 0, count }), async (tell, note) => {
      const { "volume-progress": progress } = this.field;
      const read = (done) => {
        progress.value = done / count;
        note(say("reading_all", { read: done, count }));
      };
      await this.job.readAll(this.#plane, count, { ...tell, read });
      return this.plot.said;
    });
  }

  /** Asks for something; `ask` is given what the job is to tell and what says how far it is. */
  async #work(text, ask) {
    if (this.#busy) return; // one press, one request
    this.#busy = true;
    let now = text;
    const note = (said) => { now = said; this.#note(now); };
    note(text);
    this.field["volume-progress"].removeAttribute("value");
    this.draw();
    try {
      const said = await ask({ waking: (waking) => this.#note(waking ?? now) }, note);
      this.#note(null);
      this.announce(said);
    } catch (error) {
      this.#note(error.title ? `${error.title} ${error.message}` : say("cancelled"));
    } finally {
      this.#busy = false;
      this.draw();
    }
  }

  #note(text) {
    const note = this.field["volume-note"];
    note.hidden = !text;
    note.textContent = text ?? "";
  }
}
