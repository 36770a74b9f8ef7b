// A frame over a picture that shows more than one head: moved by dragging or by keys, and what is in
// it is read as a picture of its own.

import { dataUrl } from "./answer-text.js";
import { percent, say } from "../shared/translate.js";

const STEP = 0.02; // of a side, by a key
const LEAST = 0.05; // of a side
const LONGEST = 2048; // pixels of what is cut out
const BITS_AT = 24; // where a PNG file says how many bits it has
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

const within = (value, low, high) => Math.min(Math.max(value, low), high);

export class Crop {
  #box; // left, top, right, bottom: shares of the picture's sides

  /** `field` has the card's elements; `take(file)` takes what was cut out. */
  constructor(field, { file, answer }, take) {
    Object.assign(this, { file, take, image: field["crop-image"], said: field["crop-said"], frame: field["crop-frame"] });
    this.#box = answer.crop;
    const { preview } = answer;
    Object.assign(this.image, { src: dataUrl(preview), width: preview.width, height: preview.height });
    this.#listen(this.frame, (box, across, down) => moved(box, across, down));
    for (const corner of this.frame.parentElement.querySelectorAll("[data-corner]")) {
      this.#listen(corner, (box, across, down) => resized(box, corner.dataset.corner, across, down));
    }
    field["crop-read"].addEventListener("click", () => this.#read());
    this.#draw();
  }

  /** Lets an element change the frame; `change(box, across, down)` gives the new one. */
  #listen(element, change) {
    let start = null;
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      start = { x: event.clientX, y: event.clientY, box: this.#box };
    });
    element.addEventListener("pointermove", (event) => {
      if (!start) return;
      const { width, height } = this.image.getBoundingClientRect();
      this.#box = change(start.box, (event.clientX - start.x) / width, (event.clientY - start.y) / height);
      this.#draw();
    });
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => { start = null; this.#say(); });
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#read();
      else if (event.key in ARROWS) this.#box = change(this.#box, ...ARROWS[event.key]);
      else return;
      event.preventDefault();
      this.#draw();
      this.#say();
    });
  }

  #draw() {
    const [left, top, right, bottom] = this.#box;
    const place = (element, sides) => { for (const [side, share] of Object.entries(sides)) element.style[side] = `${share * 100}%`; };
    place(this.frame, { left, top, width: right - left, height: bottom - top });
    for (const corner of this.frame.parentElement.querySelectorAll("[data-corner]")) {
      const [down, across] = corner.dataset.corner;
      place(corner, { left: across === "w" ? left : right, top: down === "n" ? top : bottom });
    }
  }

  #say() {
    const [left, top, right, bottom] = this.#box;
    this.said.textContent = say("crop_said", { left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) });
  }

  async #read() {
    const name = `${this.file.name.replace(/\.[^.]*$/, "")} (${say("crop_name")}).png`;
    this.take(new File([await cut(await pictureOf(this.file, this.image), this.#box)], name, { type: "image/png" }));
  }
}

function moved([left, top, right, bottom], across, down) {
  const [x, y] = [within(across, -left, 1 - right), within(down, -top, 1 - bottom)];
  return [left + x, top + y, right + x, bottom + y];
}

function resized([left, top, right, bottom], [vertical, horizontal], across, down) {
  return [
    horizontal === "w" ? within(left + across, 0, right - LEAST) : left,
    vertical === "n" ? within(top + down, 0, bottom - LEAST) : top,
    horizontal === "e" ? within(right + across, left + LEAST, 1) : right,
    vertical === "s" ? within(bottom + down, top + LEAST, 1) : bottom,
  ];
}

/** The file itself where the browser shows it as the server does, else what the server made of it. */
async function pictureOf(file, preview) {
  const start = new Uint8Array(await file.slice(0, BITS_AT + 1).arrayBuffer());
  const deep = file.type === "image/png" && start[BITS_AT] > 8; // a browser does not stretch its range
  if (!deep && file.type.startsWith("image/")) {
    try { return await createImageBitmap(file); } catch { /* of a kind that the browser does not know */ }
  }
  await preview.decode();
  return createImageBitmap(preview);
}

function cut(picture, [left, top, right, bottom]) {
  const [x, y] = [Math.round(left * picture.width), Math.round(top * picture.height)];
  const width = Math.max(1, Math.round(right * picture.width) - x);
  const height = Math.max(1, Math.round(bottom * picture.height) - y);
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) });
  canvas.getContext("2d").drawImage(picture, x, y, width, height, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
}
