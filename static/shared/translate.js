// What scripts say, in the page's language: the words themselves come with the page (web/pages/script_words.py).

const words = JSON.parse(document.querySelector("meta[name=words]").content);
export const language = document.documentElement.lang;

/** The text of a key, its %(name)s replaced by values: say("server_answered", { status: 503 }). */
export function say(key, values = {}) {
  if (!(key in words)) throw new Error(`web/pages/script_words.py has no "${key}"`);
  return words[key].replace(/%\((\w+)\)s/g, (_, name) => values[name]);
}

const decimals = (digits) => new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const [whole, tenth] = [decimals(0), decimals(1)];

// the same wording as the `percent` and `milliseconds` filters of the server (web/pages/display.py)
export function percent(share) {
  if (share >= 0.9995 && share < 1) return `>${tenth.format(99.9)} %`;
  if (share > 0 && share < 0.0005) return `<${tenth.format(0.1)} %`;
  return `${tenth.format(share * 100)} %`;
}
export const milliseconds = (value) => `${(value < 100 ? tenth : whole).format(value)} ms`;

// An answer in words: the same as the server's (model/inference/answer_text.py).

/** The answer in a few words. */
export function headlineOf({ in_distribution: isMri, finding, likelihood }) {
  if (!isMri) return say("not_mri");
  return say(finding ? `${finding}_${likelihood.replace(" ", "_")}` : "cannot_tell");
}

/** The kind of a tumor that was found, clear or not; "" without one. */
export function detailOf({ finding, prediction_set: members }) {
  if (finding !== "tumor") return "";
  const [first, ...others] = members.map((name) => say(`kind_${name}`));
  if (!others.length) return say("kind", { kind: first });
  return say("unclear", { first, others: others.reduce((left, right) => say("or", { left, right })) });
}

/** Why the network abstains; "" where it does not. */
export function reasonOf({ abstained, doubt, in_distribution: isMri, prediction_set: members }) {
  if (!abstained) return "";
  if (doubt) return say(`doubt_${doubt.replace("-", "_")}`); // of uploaded files alone
  if (!isMri) return say("not_a_brain");
  return say("undecided", { kind: say(`kind_${members.find((name) => name !== "notumor")}`) });
}

/** Headline and detail. */
export const verdictOf = (answer) => `${headlineOf(answer)}. ${detailOf(answer)}`.trim();
