// One scan to look into: zoom, brightness and contrast, and a heat map over it. All of it changes the
// view alone; what the network says is the page's business. Markup: templates/_viewer.html.
//
//   const viewer = new ScanViewer(root);
//   await viewer.show({ src, width, height, alt });
//   root.addEventListener("explain", ({ detail }) => ...);  // { on, class }: class null is the predicted one
//   viewer.heat(explanation);                               // as the API has it, or null

import { language, say } from "./translate.js";

// Inferno, dark to bright in equal steps of lightness, for every kind of colour vision
// (Nathaniel J. Smith and Stefan van der Walt, CC0; eleven of the 256 colours that matplotlib has).
const INFERNO = [
  [0, 0, 4], [22, 11, 57], [66, 10, 104], [106, 23, 110], [147, 38, 103], [188, 55, 84],
  [221, 81, 58], [243, 120, 25], [252, 165, 10], [246, 215, 70], [252, 255, 164],
];
const FAINT = 0.05; // weaker evidence is not drawn
const MOST = 8; // times
const ZOOM = 1.5; // times, for a key or a button
const STEP = 0.15; // of the stage, for a key or a button
const LONGEST = 640; // pixels of the drawn heat map

const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const percents = (value) => `${whole.format(value)} %`;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** [red, green, blue] of a value in [0, 1]. */
export function colour(value) {
  const place = clamp(value, 0, 1) * (INFERNO.length - 1);
  const below = Math.min(Math.floor(place), INFERNO.length - 2);
  return INFERNO[below].map((low, channel) => Math.round(low + (INFERNO[below + 1][channel] - low) * (place - below)));
}

/** How opaque a value is, in [0, 1]: weak evidence lets the scan through. */
export const opacityOf = (value) => (value < FAINT ? 0 : clamp(value, 0, 1) ** 0.75);

export class ScanViewer {
  #part;
  #view = { scale: 1, x: 0, y: 0 }; // x, y: of the stage's width and height
  #wish = { on: false, class: null };
  #explanation = null;
  #shown = 0; // counts calls of show, so that a late image does not replace a newer one
  #pointers = new Map();

  constructor(root) {
    this.root = root;
    this.#part = Object.fromEntries([...root.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
    this.#part.tools.hidden = false;
    this.#part.stage.tabIndex = 0;
    this.#part.stage.setAttribute("role", "group");
    this.#name(this.#part.image.alt);
    this.#drawKey();
    this.#listen();
    this.#adjust();
    this.#fade();
    this.#place();
  }

  /** What the user wants to see: { on, class }, class null for the predicted one. */
  get explained() {
    return { ...this.#wish };
  }

  /** Loads an image and shows it whole; its heat map is not known yet. Rejects where it does not load. */
  async show({ src, width, height, alt }) {
    const turn = (this.#shown += 1);
    this.heat(null);
    this.#part.stage.classList.add("is-loading");
    const next = new Image();
    next.src = src;
    try {
      await next.decode();
    } catch {
      if (turn === this.#shown) this.#part.stage.classList.remove("is-loading");
      throw new Error(say("image_failed"));
    }
    if (turn !== this.#shown) return;
    Object.assign(this.#part.image, { width, height, alt, src, hidden: false });
    this.#name(alt);
    this.zoom(0);
    this.#part.stage.classList.remove("is-loading");
  }

  /** Draws an explanation of the API over the image, or takes it away. */
  heat(explanation) {
    this.#explanation = explanation;
    this.#draw();
  }

  /** Says why there is no heat map. */
  failed(message) {
    this.heat(null);
    this.#part.said.textContent = message;
  }

  /** Shows whether the network is at work on this image. */
  busy(on) {
    this.#part.stage.classList.toggle("is-reading", on);
    this.root.setAttribute("aria-busy", String(on));
  }

  /** Turns the heat map on or off, as its button does. */
  toggle(on = !this.#wish.on) {
    this.#want({ on, class: this.#wish.class });
  }

  /** Turns the heat map on for a class, as its menu does; null for the predicted one. */
  ask(name) {
    this.#part.class.value = name ?? "";
    this.#want({ on: true, class: name });
  }

  /** Zooms by a factor about a point of the stage, in shares of its size; 0 shows everything again. */
  zoom(factor, at = { x: 0.5, y: 0.5 }) {
    const { scale, x, y } = this.#view;
    const next = clamp(scale * factor, 1, MOST);
    const ratio = next / scale;
    this.#view = { scale: next, x: at.x - (at.x - x) * ratio, y: at.y - (at.y - y) * ratio };
    this.#place();
  }

  /** Moves the view by shares of the stage: positive looks further right and down. */
  move(right, down) {
    this.#view.x -= right;
    this.#view.y -= down;
    this.#place();
  }

  /** Does what a key stands for; false where it stands for nothing. */
  key(key) {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (key === "+" || key === "=") this.zoom(ZOOM);
    else if (key === "-") this.zoom(1 / ZOOM);
    else if (key === "0") this.zoom(0);
    else if (key === "h") this.toggle();
    else if (moves[key] && this.#view.scale > 1) this.move(...moves[key]);
    else return false;
    return true;
  }

  #name(alt) {
    this.#part.stage.setAttribute("aria-label", say("scan_stage", { name: alt }));
  }

  #place() {
    const view = this.#view;
    view.x = clamp(view.x, 1 - view.scale, 0);
    view.y = clamp(view.y, 1 - view.scale, 0);
    const { layers, stage, scale, move } = this.#part;
    const zoomed = view.scale > 1;
    layers.style.transform = zoomed ? `translate(${view.x * 100}%, ${view.y * 100}%) scale(${view.scale})` : "";
    stage.classList.toggle("is-zoomed", zoomed);
    const text = percents(view.scale * 100);
    if (scale.textContent !== text) scale.textContent = text;
    if (!zoomed && move.contains(document.activeElement)) stage.focus(); // what hides would drop the focus
    move.hidden = !zoomed;
    for (const name of ["out", "fit"]) this.#able(name, zoomed);
    this.#able("in", view.scale < MOST);
  }

  #able(name, able) {
    this.#part[name].setAttribute("aria-disabled", String(!able)); // and not `disabled`: it keeps the focus
  }

  #want(wish) {
    if (wish.class !== this.#wish.class) this.#explanation = null;
    this.#wish = wish;
    this.#draw();
    this.root.dispatchEvent(new CustomEvent("explain", { detail: this.explained, bubbles: true }));
  }

  #draw() {
    const { heat, legend, caution, said, toggle, image } = this.#part;
    const { on } = this.#wish;
    const found = this.#explanation;
    toggle.setAttribute("aria-pressed", String(on));
    legend.hidden = caution.hidden = !on;
    heat.hidden = !on || !found;
    if (!on || !found) {
      said.textContent = on ? say("heat_waiting") : "";
      return;
    }
    // the image's own sides: its properties `width` and `height` are those of its box
    const [width, height] = ["width", "height"].map((side) => Number(image.getAttribute(side)) || 1);
    const scale = LONGEST / Math.max(width, height);
    heat.width = Math.max(1, Math.round(width * scale));
    heat.height = Math.max(1, Math.round(height * scale));
    const context = heat.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(painted(found), 0, 0, heat.width, heat.height);
    said.textContent = this.#describe(found);
  }

  #describe({ class: name, width, height, values }) {
    const title = [...this.#part.class.options].find((option) => option.value === name)?.text ?? name;
    let best = { value: 0 };
    values.forEach((row, y) => row.forEach((value, x) => { if (value > best.value) best = { value, x, y }; }));
    if (best.value === 0) return say("heat_none", { class: title });
    const part = (place) => (place < 0.4 ? 0 : place < 0.6 ? 1 : 2);
    const spot = ["top", "middle", "bottom"][part((best.y + 0.5) / height)] + ["_left", "", "_right"][part((best.x + 0.5) / width)];
    return say("heat_said", { class: title, place: say(`place_${spot}`) });
  }

  #drawKey() {
    const context = this.#part.key.getContext("2d");
    const { width, height } = this.#part.key;
    for (let x = 0; x < width; x += 1) {
      context.fillStyle = `rgb(${colour(x / (width - 1)).join(" ")})`;
      context.fillRect(x, 0, 1, height);
    }
  }

  #fade() {
    const { opacity, heat } = this.#part;
    heat.style.opacity = opacity.value / 100;
    this.#write("opacity");
  }

  #adjust() {
    const { brightness, contrast, image } = this.#part;
    const plain = brightness.value === "100" && contrast.value === "100";
    image.style.filter = plain ? "" : `brightness(${brightness.value}%) contrast(${contrast.value}%)`;
    this.#able("reset", !plain);
    for (const name of ["brightness", "contrast"]) this.#write(name);
  }

  #write(name) {
    const text = percents(this.#part[name].value);
    this.#part[name].setAttribute("aria-valuetext", text);
    this.#part[`${name}-value`].textContent = text;
  }

  #listen() {
    const part = this.#part;
    const press = (name, act) => part[name].addEventListener("click", act);
    press("toggle", () => this.toggle());
    part.class.addEventListener("change", () => this.#want({ on: true, class: part.class.value || null }));
    part.opacity.addEventListener("input", () => this.#fade());
    press("in", () => this.zoom(ZOOM));
    press("out", () => this.zoom(1 / ZOOM));
    press("fit", () => this.zoom(0));
    press("left", () => this.move(-STEP, 0));
    press("right", () => this.move(STEP, 0));
    press("up", () => this.move(0, -STEP));
    press("down", () => this.move(0, STEP));
    press("adjust", () => {
      part.panel.hidden = !part.panel.hidden;
      part.adjust.setAttribute("aria-expanded", String(!part.panel.hidden));
    });
    for (const name of ["brightness", "contrast"]) part[name].addEventListener("input", () => this.#adjust());
    press("reset", () => {
      part.brightness.value = part.contrast.value = 100;
      this.#adjust();
    });
    this.#listenOnStage(part.stage);
  }

  #listenOnStage(stage) {
    const at = (event) => {
      const box = stage.getBoundingClientRect();
      return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
    };
    stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.key(event.key)) return;
      event.preventDefault();
      event.stopPropagation(); // the page's own arrows step through its samples
    });
    // The wheel scrolls the page until the scan is being looked into; with Ctrl (or a pinch) it always zooms.
    stage.addEventListener("wheel", (event) => {
      const looking = event.ctrlKey || this.#view.scale > 1 || document.activeElement === stage;
      const nothing = event.deltaY > 0 && this.#view.scale === 1;
      if (!looking || (nothing && !event.ctrlKey)) return;
      event.preventDefault();
      this.zoom(Math.exp(-clamp(event.deltaY, -120, 120) / (event.ctrlKey ? 100 : 400)), at(event));
    }, { passive: false });
    stage.addEventListener("dblclick", (event) => this.zoom(this.#view.scale > 1 ? 0 : 2.5, at(event)));
    stage.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.#pointers.set(event.pointerId, at(event));
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      const before = this.#pointers.get(event.pointerId);
      if (!before) return;
      const now = at(event);
      const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
      this.#pointers.set(event.pointerId, now);
      if (other) this.#pinch(before, now, other, stage);
      else if (this.#view.scale > 1) this.move(before.x - now.x, before.y - now.y);
      stage.classList.toggle("is-dragged", this.#view.scale > 1);
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      stage.addEventListener(kind, (event) => {
        this.#pointers.delete(event.pointerId);
        stage.classList.remove("is-dragged");
      });
    }
  }

  #pinch(before, now, other, stage) {
    const { clientWidth: width, clientHeight: height } = stage;
    const apart = (a, b) => Math.hypot((a.x - b.x) * width, (a.y - b.y) * height);
    const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
    this.zoom(apart(now, other) / Math.max(apart(before, other), 1), middle);
    this.move((before.x - now.x) / 2, (before.y - now.y) / 2);
  }
}

/** A canvas of an explanation's own size: inferno, as opaque as the evidence is strong. */
function painted({ width, height, values }) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  values.flat().forEach((value, cell) => {
    pixels.data.set([...colour(value), Math.round(opacityOf(value) * 255)], cell * 4);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}
