// How to wait for a server that sleeps or is overrun: as long as it asks, and not for ever.

import { say } from "./translate.js";

const WAKING = [429, 502, 503, 504]; // what hosts answer for such a server
const PAUSES = [2, 4, 8, 15, 30, 30]; // seconds before each new try, where it does not say
const LONGEST = 60; // seconds that a server may ask to wait

/** Seconds to wait before try number `tries` + 1; null where another try is of no use, or enough were made. */
export function pause(status, retryAfter, tries) {
  if (!WAKING.includes(status) || tries >= PAUSES.length) return null;
  const asked = Number(retryAfter);
  return Math.min(asked > 0 ? asked : PAUSES[tries], LONGEST);
}

/** What to say when the last try has failed too; "" where waiting was not the matter. */
export function gaveUp(status) {
  return { 429: say("too_many"), 503: say("too_busy") }[status] ?? "";
}

export const sleep = (time, signal) => new Promise((resolve, reject) => {
  signal?.throwIfAborted();
  const timer = setTimeout(resolve, time);
  signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
});
