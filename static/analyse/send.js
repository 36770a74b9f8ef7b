// Sends files to the API: how far it is, patience while a free host wakes up, and a way to stop.

import { gaveUp, pause, sleep } from "../shared/retry.js";
import { say } from "../shared/translate.js";

const SLOW = 3000; // milliseconds without any news before the page says why that may be

/**
 * An error that the API, or the way to it, gave: `title` and `message` in the visitor's language,
 * `detail` as the API has it, in English, for the curious; "" where it says nothing.
 */
export class SendError extends Error {
  constructor(title, message, { detail = "", again = false } = {}) {
    super(message);
    this.title = title;
    this.detail = detail;
    this.again = again; // whether the same file may well pass another time
  }
}

/**
 * POSTs files as multipart `file`, named by `nameOf`, and gives the JSON of the answer.
 * `stage` hears ("sending", share) and ("reading"); `waking` hears a sentence, or null when it is over.
 * Throws a SendError, or the signal's reason.
 */
export async function send(url, files, { signal, stage = () => {}, waking = () => {}, nameOf = ({ name }) => name }) {
  for (let tries = 0; ; tries += 1) {
    const request = await once(url, files, { signal, stage, waking, nameOf });
    const seconds = pause(request.status, request.getResponseHeader("Retry-After"), tries);
    if (seconds === null) return read(request);
    waking(say(request.status === 429 ? "limited_again" : "waking_again", { seconds }));
    await sleep(seconds * 1000, signal);
    waking(null);
  }
}

function once(url, files, { signal, stage, waking, nameOf }) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest(); // fetch does not tell how much of a body is sent
    let slow;
    const end = (act) => () => {
      clearTimeout(slow);
      waking(null);
      act();
    };
    const news = () => {
      clearTimeout(slow);
      slow = setTimeout(() => waking(say("waking_slow")), SLOW);
    };
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      news();
      stage("sending", loaded / total);
    });
    request.upload.addEventListener("load", () => {
      news();
      stage("reading");
    });
    request.addEventListener("load", end(() => resolve(request)));
    request.addEventListener("error", end(() => reject(new SendError(say("not_reached"), say("not_reached_why"), { again: true }))));
    request.addEventListener("abort", end(() => reject(signal.reason)));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    const body = new FormData();
    for (const file of files) body.append("file", file, nameOf(file));
    stage("sending", 0);
    news();
    request.send(body);
  });
}

function read(request) {
  let answer = null;
  try { answer = JSON.parse(request.responseText); } catch { /* a page of the host's own */ }
  if (request.status === 200 && answer) return answer;
  const kind = answer?.type?.split("#")[1] ?? "";
  const said = { damaged: "file_damaged", "too-large": "file_too_large", "unsupported-format": "file_unsupported" }[kind];
  const title = said ? say(said) : gaveUp(request.status) || say("no_answer_came");
  const why = said ? say(`${said}_advice`) : say("server_answered", { status: request.status });
  const detail = (answer?.detail ?? "").replaceAll("`", "");
  throw new SendError(title, why, { detail, again: !kind && request.status !== 413 });
}
