// The model card: marks the section being read in the table of contents, and copies citations.

import { say } from "../shared/translate.js";

const links = new Map([...document.querySelectorAll(".toc a")].map((link) => [link.hash.slice(1), link]));
const headings = [...links.keys()].map((id) => document.getElementById(id));

function mark() {
  const line = innerHeight * 0.3; // a section is being read once its heading has passed this height
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const read = headings.filter((heading) => heading.getBoundingClientRect().top <= line).at(-1);
  const current = atEnd ? headings.at(-1) : read;
  for (const [id, link] of links) {
    if (id === current?.id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

let waiting = false;
addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; mark(); });
}, { passive: true });
mark();

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const text = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const citation = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(citation.textContent);
        button.textContent = say("copied");
      } catch { // the browser or its user refuses: select it, for copying by hand
        getSelection().selectAllChildren(citation);
        button.textContent = say("not_copied");
      }
      setTimeout(() => { button.textContent = text; }, 2000);
    });
  }
}
