// The list of probabilities that the templates draw, filled with an answer.

import { percent } from "./translate.js";

/** Fills a list; `truth` is the image's own class, where it has one. */
export function fillBars(list, { probabilities, label }, truth = null) {
  for (const bar of list.querySelectorAll("[data-class]")) {
    const name = bar.dataset.class;
    const share = probabilities[name];
    bar.classList.toggle("is-predicted", name === label);
    bar.classList.toggle("is-true", name === truth);
    bar.querySelector(".bar-value").textContent = percent(share);
    bar.querySelector(".bar-fill").setAttribute("width", `${(share * 100).toFixed(2)}%`);
  }
}
