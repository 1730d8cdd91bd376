export const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

const PREFIXES = [
  ["FATAL", /^(fatal|crit|emerg|alert|panic)/i], ["ERROR", /^(err|severe|fail)/i],
  ["WARN", /^(warn|wrn)/i], ["INFO", /^(inf|notice)/i], ["DEBUG", /^(debug|dbg|fine|verbose)/i],
  ["TRACE", /^trace/i],
];

/** The level of a severity number, "" for 0. */
const ofNumber = (number) => LEVELS[Math.floor((number - 1) / 4)] ?? "";

/** The level that colours a record: by its severity number, else by its text, else TRACE. */
export function levelOf(text, number = 0) {
  return ofNumber(number) || PREFIXES.find(([, prefix]) => prefix.test(text))?.[0] || "TRACE";
}

/** What a record's badge says. */
export const severityOf = (log) => (log.severity_text || ofNumber(log.severity_number)).toUpperCase();
