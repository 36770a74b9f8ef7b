// The probability of a tumor by slice as an area, and of each class as a line with a dash of its own.

import { percent, say } from "../shared/translate.js";
import { titles } from "./answer-text.js";

const LEFT = 46; // pixels for the scale's numbers
const [TOP, BOTTOM, RIGHT] = [10, 34, 8];
const HEIGHT = 190;
const DOUBT = 6; // pixels of the marks for slices where the network can't tell

const create = (name, attributes, text = "") => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
};

/** Answers of neighboring slices together: between them lie slices that cannot be read. */
function runsOf(answers) {
  const runs = [];
  for (const answer of answers) {
    if (runs.at(-1)?.at(-1).slice === answer.slice - 1) runs.at(-1).push(answer);
    else runs.push([answer]);
  }
  return runs;
}

export class Plot {
  #answers = [];
  #slice = 0;
  #shift; // pixels from one slice to the next

  /** `choose` is called with the slice that is clicked. */
  constructor({ lines, key }, choose) {
    this.lines = lines;
    this.key = key;
    new ResizeObserver(() => this.#paint()).observe(lines);
    const at = (event) => choose(Math.round((event.clientX - lines.getBoundingClientRect().left - LEFT) / this.#shift));
    lines.addEventListener("pointerdown", at);
    lines.addEventListener("pointermove", (event) => { if (event.buttons & 1) at(event); });
  }

  /** Draws the answers of every slice of a plane, and a line at one of them. */
  draw(answers, slice) {
    this.#answers = answers;
    this.#slice = slice;
    this.#paint();
    const here = answers.find((answer) => answer.slice === slice); // none where it cannot be read
    const shown = (share) => (here ? percent(share(here)) : "–");
    for (const item of this.key.querySelectorAll("[data-class]")) {
      item.querySelector("[data-field=value]").textContent = shown(({ probabilities }) => probabilities[item.dataset.class]);
    }
    this.key.querySelector("[data-field=tumor]").textContent = shown((answer) => answer.tumor_probability);
    this.key.querySelector(".plot-unsure").toggleAttribute("data-here", Boolean(here?.abstained));
  }

  #paint() {
    const answers = this.#answers;
    const width = this.lines.clientWidth;
    if (!answers.length || !width) return;
    const names = Object.keys(answers[0].probabilities);
    const last = answers[0].slices - 1;
    this.#shift = (width - LEFT - RIGHT) / last;
    const x = (slice) => LEFT + slice * this.#shift;
    const y = (share) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
    const scale = [0, 0.5, 1].flatMap((share) => [
      create("line", { class: "plot-grid", x1: LEFT, x2: width - RIGHT, y1: y(share), y2: y(share) }),
      create("text", { class: "plot-text", x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, `${share * 100} %`),
    ]);
    const ends = [[0, "start"], [last, "end"]].map(([slice, anchor]) =>
      create("text", { class: "plot-text", x: x(slice), y: HEIGHT - 4, "text-anchor": anchor }, say("slice", { slice })));
    const half = Math.max(this.#shift, 2) / 2;
    const doubts = answers.filter((answer) => answer.abstained).map(({ slice }) => {
      const [from, to] = [Math.max(x(slice) - half, LEFT), Math.min(x(slice) + half, width - RIGHT)];
      return create("rect", { class: "plot-doubt", x: from, y: y(0) + 4, width: to - from, height: DOUBT });
    });
    const along = (run, share) => run.map((answer) => `${x(answer.slice).toFixed(1)},${y(share(answer)).toFixed(1)}`).join(" ");
    const runs = runsOf(answers);
    const tumors = runs.map((run) => create("polygon", { class: "plot-tumor", points: `${x(run[0].slice)},${y(0)} ${along(run, (answer) => answer.tumor_probability)} ${x(run.at(-1).slice)},${y(0)}` }));
    const curves = names.flatMap((name) => runs.map((run) => create("polyline", { class: `line-${name}`, points: along(run, (answer) => answer.probabilities[name]) })));
    const cursor = create("line", { class: "plot-cursor", x1: x(this.#slice), x2: x(this.#slice), y1: TOP - 4, y2: y(0) + DOUBT + 6 });
    this.lines.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.lines.setAttribute("aria-label", this.said);
    this.lines.replaceChildren(...tumors, ...scale, ...ends, ...doubts, ...curves, cursor);
  }

  /** How many slices each answer has, and in how many the network can't tell. */
  get said() {
    const names = Object.keys(this.#answers[0].probabilities);
    const sure = this.#answers.filter((answer) => !answer.abstained);
    const counts = names.map((name) => `${titles[name]}: ${sure.filter(({ label }) => label === name).length}`);
    return say("plot_said", { counts: counts.join(", "), unsure: this.#answers.length - sure.length, count: this.#answers.length });
  }
}
