// One file: sent, answered, and sent again for another slice or another class's heat map, since the
// server keeps nothing. It knows the file's answers and no element of the page.

import { SendError, send } from "./send.js";
import { say } from "../shared/translate.js";

const ROOM = 1024; // bytes of a request besides its file
const PARTS = 10; // requests that a volume's slices are read in, at most
const FEWEST = 4; // slices of such a request, at least

export class Job {
  state = "waiting"; // then "sending", "reading", and in the end "done", "failed" or "cancelled"
  error = null;
  answer = null; // of the slice that is shown
  model = null;
  #running = new Set();
  #read = new Map(); // answers by plane and slice
  #heat = new Map(); // explanations by plane, slice and class
  #slices = new Map(); // promises by plane

  /** `changed` is called whenever something above changes; `truth` is a gallery image's own label. */
  constructor(file, { queue, urls, limit, truth = null, changed }) {
    Object.assign(this, { file, queue, urls, limit, truth, changed });
  }

  get running() {
    return this.#running.size > 0;
  }

  /** Every answer so far, by plane and slice. */
  get answers() {
    return [...this.#read.values()].sort((a, b) => (a.plane ?? "").localeCompare(b.plane ?? "") || (a.slice ?? 0) - (b.slice ?? 0));
  }

  /** The answers of one plane, where every slice has been read; else null. */
  every(plane) {
    const found = this.answers.filter((answer) => answer.plane === plane);
    return found.length > 1 && found.length === found[0].slices ? found : null;
  }

  /** Reads the file for the first time, or once more after a failure. */
  async start(tell) {
    await this.attempt(tell, async (told) => {
      if (this.file.size + ROOM > this.limit) {
        throw new SendError(say("file_too_large"), say("file_too_large_why", { mebibytes: Math.floor(this.limit / 2 ** 20) }));
      }
      await this.read({}, told);
    });
  }

  /** Does something that ends in "done", "failed" or "cancelled". */
  async attempt(tell, act) {
    this.error = null;
    this.#set("waiting");
    try {
      await act({ ...tell, stage: (name, share) => { this.#set(name); tell.stage(name, share); } });
      this.#set("done");
    } catch (error) {
      this.error = error;
      this.#set(error instanceof SendError ? "failed" : "cancelled");
      if (!(error instanceof SendError) && error.name !== "AbortError") throw error;
    }
  }

  /** Reads one slice, with its heat map and its picture; it becomes the answer that is shown. */
  async read(place, tell = {}) {
    const { query, files } = await this.sent(place);
    const found = await this.ask(this.urls.predictions, { ...query, explain: true, preview: true }, tell, files);
    this.answer = this.placed(found.predictions[0], place.slice);
    this.model = found.model;
    this.keep(this.answer);
    this.changed(this);
    return this.answer;
  }

  /** What is sent for a slice: parameters, and files. */
  sent(place) {
    return { query: place, files: [this.file] };
  }

  /** The API's answer with the place of its slice. */
  placed(answer) {
    return answer;
  }

  /**
   * Reads the slices of a plane that have not been read, without heat maps, in parts: so it is known
   * how far it is, and stopping stops the server too. Each part sends the file again, since the
   * server keeps nothing; a large file goes in fewer parts, and all of it in one where it must.
   * `tell.read` hears how many of the slices have been read.
   */
  async readAll(plane, count, tell = {}) {
    const parts = Math.max(1, Math.min(PARTS, Math.floor(this.limit / this.file.size)));
    const size = Math.max(FEWEST, Math.ceil(count / parts));
    for (let first = 0; first < count; first += size) {
      const last = Math.min(first + size, count) - 1;
      const known = Array.from({ length: last - first + 1 }, (_, k) => this.#read.has(`${plane} ${first + k}`));
      tell.read?.(first);
      if (known.every(Boolean)) continue;
      const found = await this.ask(this.urls.predictions, { ...(plane && { plane }), slice: `${first}-${last}` }, tell);
      for (const answer of found.predictions) this.keep(answer);
    }
    this.changed(this);
  }

  /** The heat map of the answer that is shown; for the predicted class where none is named. */
  async heat(name, tell = {}) {
    const { plane, slice, label } = this.answer;
    const key = `${plane} ${slice} ${name ?? label}`;
    if (!this.#heat.has(key)) {
      const place = { ...(plane && { plane }), ...(slice !== null && { slice }) };
      const { query, files } = await this.sent(place);
      const found = await this.ask(this.urls.predictions, { ...query, explain: true, explain_class: name ?? label }, tell, files);
      this.#heat.set(key, found.predictions[0].explanation);
    }
    return this.#heat.get(key);
  }

  /** Small pictures of every slice of a plane: the API's answer, asked for once. */
  slices(plane, tell = {}) {
    if (!this.#slices.has(plane)) {
      const found = this.ask(this.urls.slices, plane ? { plane } : {}, tell);
      found.catch(() => this.#slices.delete(plane));
      this.#slices.set(plane, found);
    }
    return this.#slices.get(plane);
  }

  /** Stops whatever is under way. */
  cancel() {
    for (const controller of this.#running) controller.abort();
  }

  async ask(url, query, tell, files = [this.file]) {
    const controller = new AbortController();
    const { signal } = controller;
    this.#running.add(controller);
    this.changed(this);
    try {
      return await this.queue.run(() => send(`${url}?${new URLSearchParams(query)}`, files, { ...tell, signal }), signal);
    } finally {
      this.#running.delete(controller);
      this.changed(this);
    }
  }

  /** Remembers an answer. */
  keep(answer) {
    const { plane, slice, explanation } = answer;
    this.#read.set(`${plane} ${slice}`, answer);
    if (explanation) this.#heat.set(`${plane} ${slice} ${explanation.class}`, explanation);
  }

  #set(state) {
    if (state === this.state) return;
    this.state = state;
    this.changed(this);
  }
}
