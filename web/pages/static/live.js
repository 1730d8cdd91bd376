const prefix = document.documentElement.dataset.api;
const SHOW_MS = 250, READY_TIMEOUT_MS = 2000;

const number = new Intl.NumberFormat();

/** The live tail: `show(logs)` gets new records in groups, `say(text, bad)` changes of state. */
export class Live {
  constructor(query, show, say) {
    const parameters = new URLSearchParams(query);
    parameters.delete("start_time_ms");
    parameters.delete("end_time_ms");
    this.show = show;
    this.say = say;
    this.waiting = [];
    this.lost = 0;
    this.source = new EventSource(`${prefix}/logs/live?${parameters}`);
    this.on("message", (event) => this.waiting.push(JSON.parse(event.data)));
    this.on("lost", (event) => this.count(JSON.parse(event.data).lost));
    this.on("ready", () => say("Live"));
    this.on("error", () => this.fail());
    /** Resolves when no record can be missed any more, or the stream fails or takes too long. */
    this.ready = new Promise((resolve) => {
      for (const name of ["ready", "error"]) this.on(name, resolve);
      setTimeout(resolve, READY_TIMEOUT_MS);
    });
  }

  on(name, act) { this.source.addEventListener(name, act); }

  /** Start showing records, once the page shows a search made after `ready`. */
  start() {
    this.timer = setInterval(() => { if (this.waiting.length) this.show(this.waiting.splice(0)); }, SHOW_MS);
  }

  count(lost) {
    this.lost += lost ?? 0;
    this.say(lost === null ? "Live: some records may have been missed" : `Live: ${number.format(this.lost)} records skipped; narrow the search`);
  }

  fail() {
    const over = this.source.readyState === EventSource.CLOSED;
    this.say(over ? "Live tail is full. Try again later." : "Reconnecting…", over);
  }

  close() {
    this.source.close();
    clearInterval(this.timer);
  }
}
