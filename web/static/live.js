const prefix = document.documentElement.dataset.api;
const SHOW_MS = 250, PATIENCE_MS = 2000;

const number = new Intl.NumberFormat();

/** Log records as they are stored: `show(logs)` gets some now and then, `say(text, bad)` what else happens. */
export class Live {
  constructor(query, show, say) {
    const asked = new URLSearchParams(query);
    asked.delete("start_time_ms");
    asked.delete("end_time_ms");
    this.show = show;
    this.say = say;
    this.waiting = [];
    this.lost = 0;
    this.source = new EventSource(`${prefix}/logs/live?${asked}`);
    this.on("message", (event) => this.waiting.push(JSON.parse(event.data)));
    this.on("lost", (event) => this.count(JSON.parse(event.data).lost));
    this.on("ready", () => say("Live"));
    this.on("error", () => this.fail());
    /** From then on no record is missed, unless the stream cannot be had at all. */
    this.ready = new Promise((resolve) => {
      for (const name of ["ready", "error"]) this.on(name, resolve);
      setTimeout(resolve, PATIENCE_MS);
    });
  }

  on(name, act) { this.source.addEventListener(name, act); }

  /** Begin to show: what is shown already was searched for after `ready`. */
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
