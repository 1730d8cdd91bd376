// Search for items, and moving between matches.

import { byId } from "../../dom.js";
import { inDigits } from "./head.js";
import { haystack } from "./model.js";

export class Search {
  /** `select(item)` is called with the match to go to. */
  constructor(page, select) {
    this.page = page;
    this.select = select;
    this.find("");
  }

  /** Mark all items that contain `text`, ignoring case. */
  find(text) {
    const wanted = text.trim().toLowerCase();
    byId("search").value = text;
    this.found = wanted ? this.page.items.filter((item) => haystack(item).includes(wanted)) : [];
    this.page.matches = wanted ? new Set(this.found) : null;
    this.page.changed();
    this.showFound();
  }

  showFound() {
    const count = inDigits(this.found.length), place = this.found.indexOf(this.page.selected) + 1;
    const text = place ? `${inDigits(place)} of ${count}` : `${count} found`;
    byId("found").textContent = this.page.matches ? text : "";
    byId("previous").disabled = byId("next").disabled = this.found.length === 0;
  }

  /** Go to the next match, or to the previous one with `step` -1. */
  go(step) { this.goAmong(this.found, step); }

  /** Go to the next error. */
  goToError() { this.goAmong(this.page.items.filter((item) => item.kind === "span" && item.error), 1); }

  goAmong(items, step) {
    if (!items.length) return;
    const ordered = step > 0 ? items : items.toReversed(), here = this.page.selected;
    const beyond = here && ordered.find((item) => (item.place - here.place) * step > 0);
    this.select(beyond ?? ordered[0]);
    this.showFound();
  }
}
