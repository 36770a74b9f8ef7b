// Copies a block of code; the button shows itself only where copying can work.

import { say } from "./translate.js";

const status = document.querySelector("[data-copied]");

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break; // needs https or localhost
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = button.closest(".code").querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
      status.textContent = say("copied");
    } catch {
      status.textContent = say("not_copied");
    }
    const before = button.textContent;
    button.textContent = status.textContent;
    setTimeout(() => { button.textContent = before; }, 1600);
  });
}
