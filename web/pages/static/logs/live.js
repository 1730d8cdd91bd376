import { batch, signal } from "../vendor/signals.js";
import { events } from "../core/api.js";

const SHOW_MS = 250, AGAIN_MS = 3000, RATE_SECONDS = 5, MOST_WAITING = 2000;

/** The live tail of a search: records are inserted as they are stored, unless it is paused. */
export class Live {
  constructor(filters, insert) {
    this.insert = insert;
    this.parameters = filters;
    this.waiting = [];
    this.arrivals = [];
    /** `connecting`, `live` or `reconnecting`. */
    this.state = signal("connecting");
    this.paused = signal(false);
    /** Records that wait because the tail is paused. */
    this.held = signal(0);
    this.skipped = signal(0);
    /** Whether records may have been missed, it is not known how many. */
    this.uncertain = signal(false);
    this.rate = signal(0);
    this.timer = setInterval(() => this.show(), SHOW_MS);
    this.connect();
  }

  connect() {
    this.source = events("/logs/live", this.parameters);
    this.source.addEventListener("message", (event) => this.receive(JSON.parse(event.data)));
    this.source.addEventListener("lost", (event) => this.lose(JSON.parse(event.data).lost));
    this.source.addEventListener("ready", () => {
      // What was stored in between was not sent.
      if (this.state.value === "reconnecting") this.uncertain.value = true;
      this.state.value = "live";
    });
    this.source.addEventListener("error", () => {
      this.state.value = "reconnecting";
      // The browser itself repeats only what was once connected.
      if (this.source.readyState === EventSource.CLOSED) this.again = setTimeout(() => this.connect(), AGAIN_MS);
    });
  }

  receive(log) {
    this.waiting.push(log);
    this.arrivals.push(Date.now());
    if (this.waiting.length > MOST_WAITING) {
      this.waiting.shift();
      this.skipped.value += 1;
    }
  }

  lose(count) {
    if (count === null) this.uncertain.value = true;
    else this.skipped.value += count;
  }

  show() {
    const since = Date.now() - RATE_SECONDS * 1000;
    this.arrivals = this.arrivals.filter((at) => at > since);
    batch(() => {
      this.rate.value = Math.round(this.arrivals.length / RATE_SECONDS);
      if (this.paused.value) this.held.value = this.waiting.length;
      else if (this.waiting.length) {
        this.held.value = 0;
        this.insert(this.waiting.splice(0));
      }
    });
  }

  pause() { this.paused.value = true; }

  resume() {
    this.paused.value = false;
    this.show();
    this.held.value = 0;
  }

  close() {
    this.source.close();
    clearInterval(this.timer);
    clearTimeout(this.again);
  }
}
