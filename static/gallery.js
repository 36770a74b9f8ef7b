// Enhances the gallery: `r` opens a random MRI, and the marks appear as the network reads the images.

const PAUSE = 1500; // milliseconds between looks while images are unread
const PATIENCE = 40; // looks without any news before giving up

document.addEventListener("keydown", (event) => {
  if (event.key !== "r" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) return;
  document.querySelector("[data-random]")?.click();
});

const unread = () => Number(document.getElementById("board").dataset.unread);

function swap(page, id) {
  const fresh = page.getElementById(id);
  const old = document.getElementById(id);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const marker = focused?.id ? `#${focused.id}` : focused?.getAttribute("href") && `[href="${focused.getAttribute("href")}"]`;
  old.replaceWith(document.adoptNode(fresh));
  if (marker) fresh.querySelector(marker)?.focus({ preventScroll: true });
}

async function follow() {
  for (let looks = 0; unread() > 0 && looks < PATIENCE; looks += 1) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    if (document.hidden) continue;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (Number(page.getElementById("board").dataset.unread) === unread()) continue;
    swap(page, "board");
    swap(page, "results");
    looks = 0;
  }
}

follow().catch(() => {}); // offline: the page stays as it is, and its reload link remains
