// The card of one file: how far it is, what went wrong, or the answer with its picture and its slices.

import { fillBars } from "../shared/bars.js";
import { bytes, dataUrl, fieldsOf, placeOf, titles, toldRightOf } from "./answer-text.js";
import { detailOf, headlineOf, milliseconds, percent, reasonOf, say } from "../shared/translate.js";
import { ScanViewer } from "../shared/viewer.js";
import { Volume } from "./volume.js";

const template = document.getElementById("card-template");
let made = 0;

export class Card {
  #answered = null; // the answer that is drawn
  #viewer = null;
  #volume = null;
  #crop = null;
  #asked = 0; // counts wishes for heat maps, so that a late one does not replace a newer one

  /** `act` has a function for each button: cancel, retry, remove, report, crop; and announce. */
  constructor(job, act) {
    this.job = job;
    this.act = act;
    this.root = template.content.firstElementChild.cloneNode(true);
    this.root.id = `file-${(made += 1)}`;
    const scan = this.root.querySelector(".scan");
    this.field = fieldsOf(this.root);
    this.field.name.textContent = job.file.name;
    this.field.name.id = `${this.root.id}-name`;
    this.root.setAttribute("aria-labelledby", this.field.name.id);
    this.field.size.textContent = bytes(job.file.size);
    this.field.progress.setAttribute("aria-label", job.file.name);
    for (const button of this.root.querySelectorAll(".card-head [data-act], .card-failed [data-act]")) {
      button.addEventListener("click", () => act[button.dataset.act](this));
    }
    this.scan = scan;
    this.field.crop.addEventListener("toggle", () => this.#openCrop());
    scan.addEventListener("explain", ({ detail }) => this.#explain(detail));
  }

  /** What the job is told to tell. */
  get tell() {
    return {
      stage: (name, share) => this.#stage(name, share),
      waking: (text) => this.waking(text),
    };
  }

  waking(text) {
    const { waking } = this.field;
    waking.hidden = !text;
    waking.textContent = text ?? "";
  }

  /** Draws the job as it is now. */
  draw() {
    const { state, running, answer, error } = this.job;
    const over = ["done", "failed", "cancelled"].includes(state);
    const field = this.field;
    this.root.setAttribute("aria-busy", String(!over));
    this.root.dataset.state = state;
    this.#button("cancel", running);
    this.#button("remove", !running);
    this.#button("report", state === "done");
    field.wait.hidden = over;
    if (state === "waiting") this.#stage("waiting");
    field.failed.hidden = !["failed", "cancelled"].includes(state);
    field.failure.textContent = state === "cancelled" ? say("cancelled") : (error?.title ?? "");
    field.advice.textContent = state === "failed" ? error.message : "";
    field.detail.textContent = error?.detail ?? "";
    field["detail-line"].hidden = state !== "failed" || !error.detail;
    this.#button("retry", state === "cancelled" || error?.again);
    field.body.hidden = !answer;
    if (answer && answer !== this.#answered) this.#show(answer);
    if (this.job.seriesAnswer && field.series.hidden) this.job.draw(field, (text) => this.act.announce(text));
    if (this.#volume) this.#volume.draw();
  }

  #button(name, shown) {
    const button = this.root.querySelector(`[data-act="${name}"]`);
    if (!shown && button === document.activeElement) this.field.name.focus(); // what hides would drop the focus
    button.hidden = !shown;
  }

  #stage(name, share) {
    const { stage, progress } = this.field;
    const known = name === "series" || (name === "sending" && share < 1);
    stage.textContent = known ? say(`stage_${name}`, { share: percent(share) }) : say(name === "waiting" ? "stage_waiting" : "stage_reading");
    if (known) progress.value = share;
    else progress.removeAttribute("value");
  }

  #show(answer) {
    this.#answered = answer;
    const field = this.field;
    field.doubt.hidden = !answer.abstained;
    field.says.textContent = headlineOf(answer);
    field.kind.textContent = detailOf(answer);
    field.reason.textContent = reasonOf(answer);
    fillBars(field.bars, answer);
    field.told.textContent = toldRightOf(answer);
    field.told.hidden = !field.told.textContent;
    field["contrast-row"].hidden = !answer.contrast;
    field.contrast.textContent = answer.contrast ? say(`contrast_${answer.contrast}`) : "";
    field.time.textContent = milliseconds(answer.milliseconds);
    field.slice.textContent = placeOf(answer);
    field["slice-row"].hidden = answer.slice === null;
    field.picture.textContent = `${answer.preview.width} × ${answer.preview.height}`;
    field["truth-row"].hidden = !this.job.truth;
    field.truth.textContent = titles[this.job.truth] ?? "";
    field.crop.hidden = !answer.crop || Boolean(this.job.series);
    field.crop.open = !field.crop.hidden && Boolean(answer.doubt); // else it may be no brain at all
    this.#viewer ??= new ScanViewer(this.scan);
    const { width, height } = answer.preview;
    this.#viewer
      .show({ src: dataUrl(answer.preview), width, height, alt: [this.job.file.name, placeOf(answer)].filter(Boolean).join(", ") })
      .then(() => this.#explain(this.#viewer.explained));
    if (answer.slices > 1 && !this.#volume && (!this.job.series || this.job.seriesAnswer)) {
      field.volume.hidden = false;
      this.#volume = new Volume(field.volume, this.job, this.root.id, (text) => this.act.announce(text));
    }
  }

  /** Shows the frame to crop by; what that needs is loaded now. */
  async #openCrop() {
    if (!this.field.crop.open) return;
    this.#crop ??= import("./crop.js").then(({ Crop }) => new Crop(this.field, this.job, this.act.crop));
    await this.#crop.catch(() => { this.#crop = null; this.act.announce(say("not_reached")); });
  }

  async #explain({ on, class: name }) {
    const turn = (this.#asked += 1);
    if (!on) return;
    this.#viewer.busy(true);
    try {
      const found = await this.job.heat(name, { waking: (text) => this.waking(text) });
      if (turn === this.#asked) this.#viewer.heat(found);
    } catch (error) {
      if (turn === this.#asked) this.#viewer.failed(error.title ?? say("cancelled"));
    } finally {
      if (turn === this.#asked) this.#viewer.busy(false);
    }
  }
}
