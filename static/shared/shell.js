// What the browsing pages share: the list of keys, sharing, and addresses that change without a load.

import { say } from "./translate.js";

const dialog = document.getElementById("keys");
const single = dialog.querySelector("[data-keys-single]");
const STORED = "single-keys";

try { single.checked = localStorage.getItem(STORED) !== "off"; } catch { /* storage may be blocked: on */ }
single.addEventListener("change", () => {
  try { localStorage.setItem(STORED, single.checked ? "on" : "off"); } catch { /* lasts for this page only */ }
});

const TYPED = "input:not([type=range], [type=checkbox]), textarea, select";

/** Calls `act(event)` for keys that are meant for the page; it returns whether it did something. */
export function onKey(act) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    if (event.shiftKey && event.key.length > 1) return; // selects text
    if (event.target.closest(TYPED)) return;
    if (event.target.closest("[type=range]") && event.key.startsWith("Arrow")) return;
    if (event.key.length === 1 && !single.checked) return;
    if (act(event)) event.preventDefault();
  });
}

/** Puts an address into the browser's bar and into the links that come back to it. */
export function moveTo(url, { push = true } = {}) {
  if (push) history.pushState(null, "", url);
  comeBackHere();
}

/** Puts what follows the # into the address, "" for nothing, without a new place in the history. */
export function mark(hash) {
  history.replaceState(history.state, "", location.pathname + location.search + hash);
  comeBackHere();
}

function comeBackHere() {
  for (const link of document.querySelectorAll(".languages a")) {
    const address = new URL(link.href);
    address.searchParams.set("next", location.pathname + location.search + location.hash);
    link.href = address.pathname + address.search;
  }
}

async function share() {
  const told = document.querySelector("[data-shared]");
  told.textContent = "";
  const data = { title: document.title, url: location.href };
  try {
    if (navigator.share) {
      await navigator.share(data);
      return;
    }
    await navigator.clipboard.writeText(data.url);
    told.textContent = say("link_copied");
  } catch (error) {
    if (error.name !== "AbortError") told.textContent = say("link_by_hand", { url: data.url }); // no clipboard, or it was refused
  }
}

function openKeys() {
  dialog.showModal();
  dialog.querySelector("button").focus();
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keys-open]")) openKeys();
  if (event.target.closest("[data-share]")) share();
  if (event.target.closest("[data-print]")) print();
  if (event.target === dialog) dialog.close(); // beside it
});
onKey((event) => {
  if (event.key !== "?") return false;
  openKeys();
  return true;
});

for (const button of document.querySelectorAll("[data-keys-open], [data-share], [data-print]")) button.hidden = false;
