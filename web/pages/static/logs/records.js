import { batch, signal } from "../vendor/signals.js";
import { get } from "../core/api.js";

const PAGE = 200;
/** Records kept while new ones arrive. */
const MOST_LIVE = 2000;

const later = (a, b) => (a.timestamp === b.timestamp ? a.id > b.id : a.timestamp > b.timestamp);

/** The log records of one search, newest first, loaded page by page. */
export class Records {
  constructor() {
    this.list = signal([]);
    this.error = signal(null);
    this.loading = signal(true);
    /** Whether the list still is that of the search before. */
    this.searching = signal(true);
    this.complete = signal(false);
    this.cursor = null;
    this.controller = null;
  }

  /** Load the first page of another search; an error removes what was there. */
  async start(parameters) {
    this.controller?.abort();
    this.controller = new AbortController();
    this.parameters = parameters;
    this.cursor = null;
    this.loading.value = true;
    this.searching.value = true;
    await this.load((found) => found);
  }

  /** Load the records before the oldest one. */
  async older() {
    if (this.loading.value || this.complete.value || this.error.value) return;
    this.loading.value = true;
    await this.load((found) => [...this.list.value, ...found]);
  }

  async load(joined) {
    const { signal: aborted } = this.controller;
    const query = [...this.parameters, ["limit", PAGE], ["count", "false"], ["cursor", this.cursor]];
    try {
      const page = await get("/logs", query, aborted);
      batch(() => {
        this.list.value = joined(page.logs);
        this.cursor = page.next_cursor;
        this.complete.value = !page.has_more;
        this.error.value = null;
        this.loading.value = false;
        this.searching.value = false;
      });
    } catch (error) {
      if (aborted.aborted) return;
      batch(() => {
        this.list.value = [];
        this.error.value = error;
        this.loading.value = false;
        this.searching.value = false;
      });
    }
  }

  /** Insert records that have just been stored, each at its time, once. Returns how many are new. */
  insert(logs) {
    const list = this.list.value, known = new Set(list.map((log) => log.id));
    const fresh = logs.filter((log) => !known.has(log.id)).sort((a, b) => (later(a, b) ? -1 : 1));
    const merged = [];
    let place = 0;
    for (const log of fresh) {
      while (place < list.length && later(list[place], log)) merged.push(list[place++]);
      merged.push(log);
    }
    for (; place < list.length; place += 1) merged.push(list[place]);
    if (merged.length > MOST_LIVE) this.complete.value = true;
    this.list.value = merged.slice(0, MOST_LIVE);
    return fresh.length;
  }

  stop() { this.controller?.abort(); }
}
