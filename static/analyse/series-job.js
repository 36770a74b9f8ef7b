// A series of a study: its slices are files of their own, sent a few at a time, since the server
// keeps nothing. For the card and the choice of slices it is a job as any other.

import { Job } from "./job.js";
import { SendError } from "./send.js";
import { drawSeries } from "./series-view.js";
import { say } from "../shared/translate.js";

const AT_ONCE = 8; // files of a request
const NEEDED = 3; // the rule is the server's: model/inference/series_answer.py
const NEEDED_MILLIMETRES = 10;
const BLANK = { media_type: "image/gif", width: 96, height: 96, data: "R0lGODlhAQABAAAAACwAAAAAAQABAAA=" };

const tumorOf = (answer) => answer.tumor_probability;

export class SeriesJob extends Job {
  seriesAnswer = null; // once every slice has been read
  #entries; // { name, read(most) } in the order of their places
  #answers = [];
  #sliced = Promise.withResolvers();

  /** `series` is the API's; `entries` are its files in order. */
  constructor(series, name, entries, settings) {
    super({ name, size: entries.reduce((sum, entry) => sum + entry.size, 0), lastModified: 0 }, settings);
    this.series = series;
    this.#entries = entries;
  }

  async start(tell) {
    const middle = Math.floor(this.#entries.length / 2);
    await this.attempt(tell, async (told) => {
      await this.read({ slice: middle }, told).catch((error) => { if (!(error instanceof SendError) || error.again) throw error; });
      await this.#readEvery(told); // also where the middle one cannot be read
    });
    this.changed(this);
  }

  async sent({ slice }) {
    return { query: {}, files: [await this.#fileOf(slice)] };
  }

  async #fileOf(slice) {
    const entry = this.#entries[slice];
    return new File([await entry.read(this.limit)], entry.name);
  }

  /** Draws the series' answer into its card. */
  draw(field, announce) {
    drawSeries(this, field, announce);
  }

  /** Shows the answer of another slice. */
  show(slice) {
    this.answer = this.answers.find((answer) => answer.slice === slice);
    this.changed(this);
  }

  placed(answer, slice) {
    return { ...answer, slice, slices: this.#entries.length };
  }

  slices() {
    return this.#sliced.promise;
  }

  /** The answers of the slices that can be read, once each has been tried. */
  every() {
    return this.seriesAnswer && this.answers.length > 1 ? this.answers : null;
  }

  /** Slices with a tumor, the highest probability first. */
  get highest() {
    return this.answers.filter((answer) => answer.in_distribution).sort((a, b) => tumorOf(b) - tumorOf(a));
  }

  async #readEvery(tell) {
    const count = this.#entries.length;
    for (let first = 0; first < count; first += AT_ONCE) {
      tell.stage("series", first / count);
      const places = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, k) => first + k);
      const found = await this.#readSome(places, tell);
      for (const [k, answer] of found.entries()) this.#answers[places[k]] = answer;
    }
    this.#conclude();
  }

  async #readSome(places, tell) {
    const files = await Promise.all(places.map((place) => this.#fileOf(place)));
    try {
      const found = await this.ask(this.urls.predictions, { preview: true }, { waking: tell.waking }, files);
      this.model = found.model;
      return found.predictions;
    } catch (error) {
      if (!(error instanceof SendError) || error.again) throw error;
      return places.map(() => ({ error: { title: error.title } })); // none of these can be read
    }
  }

  #conclude() {
    const answers = this.#answers;
    this.seriesAnswer = conclude(answers, this.series.millimeters);
    answers.forEach((answer, slice) => { if (!answer.error) this.keep(this.placed(answer, slice)); });
    const slices = answers.map((answer, slice) => ({ slice, unread: Boolean(answer.error), preview: answer.preview ?? BLANK }));
    this.#sliced.resolve({ planes: {}, plane: null, slices });
    if (!this.answers.length) throw new SendError(say("file_damaged"), say("file_damaged_advice"));
    this.answer = this.highest[0] ?? this.answers[0];
  }
}

/** One answer for a series from those for its slices, by the server's rule. */
export function conclude(answers, millimeters) {
  const seen = answers.map((answer) => !answer.error && answer.in_distribution && tumorOf(answer) > 0.5);
  let [run, most, last] = [0, 0, -1];
  seen.forEach((has, slice) => {
    run = has ? run + 1 : 0;
    if (run > most) [most, last] = [run, slice];
  });
  const brain = answers.filter((answer) => !answer.error && answer.in_distribution).length;
  const needed = millimeters ? Math.max(NEEDED, Math.ceil(Number((NEEDED_MILLIMETRES / millimeters).toFixed(6)))) : NEEDED;
  const none = !seen.includes(true) && 2 * brain >= answers.length;
  return {
    finding: most >= needed ? "tumor" : none ? "notumor" : null,
    neighbors: most, needed, first: last - most + 1, last, brain,
    with_tumor: seen.filter(Boolean).length, unread: answers.flatMap((answer, slice) => (answer.error ? [slice] : [])),
  };
}
