import { byId, element } from "./dom.js";

const NAMED = { workspace_id: "workspace", q: "search", min_severity: "severity", service_name: "service" };
const CHIPS = ["search", "trace_id", "endpoint", "client_id", "severity", "service_version", "scope_name"];
const ATTRIBUTE = /^(?:attributes|resource)\[(.*)\]$/s;

/** The page's filters: form fields and chips, both kept in the page's address. */
export class Filters {
  constructor(changed) {
    this.changed = changed;
    this.chips = new Map();
    const address = new URLSearchParams(location.search);
    for (const [name, id] of Object.entries(NAMED)) byId(id).value = address.get(name) ?? "";
    for (const [name, value] of address) {
      if (CHIPS.includes(name) || ATTRIBUTE.test(name)) this.chips.set(name, value);
    }
    const from = Number(address.get("start_time_ms")), to = Number(address.get("end_time_ms"));
    if (from && to) this.setRange(from, to);
    else if (address.has("range")) byId("range").value = address.get("range");
    if (!byId("range").value) byId("range").value = "3600000";
    this.showChips();
    this.showCustom();
  }

  get relative() { return byId("range").value !== "custom"; }

  timeRange() {
    if (this.relative) {
      const now = Date.now();
      return [now - Number(byId("range").value), now];
    }
    const [from, to] = ["from", "to"].map((id) => new Date(byId(id).value).getTime());
    return [Number.isNaN(from) ? Date.now() - 3600000 : from, Number.isNaN(to) ? Date.now() : to];
  }

  setRange(from, to) {
    byId("range").value = "custom";
    for (const [id, ms] of [["from", from], ["to", to]]) {
      const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);
      byId(id).value = local.toISOString().slice(0, 19);
    }
    this.showCustom();
  }

  showCustom() { byId("custom").hidden = this.relative; }

  /** The parameters for the API. The page's address gets the same, but keeps a relative range relative. */
  query() {
    const query = new URLSearchParams();
    for (const [name, id] of Object.entries(NAMED)) {
      const value = byId(id).value.trim();
      if (value) query.set(name, value);
    }
    for (const [name, value] of this.chips) query.set(name, value);
    const address = new URLSearchParams(query);
    const [from, to] = this.timeRange();
    query.set("start_time_ms", from);
    query.set("end_time_ms", to);
    if (this.relative) address.set("range", byId("range").value);
    else for (const name of ["start_time_ms", "end_time_ms"]) address.set(name, query.get(name));
    history.replaceState(null, "", `?${address}`);
    return query;
  }

  add(name, value) {
    if (name in NAMED) byId(NAMED[name]).value = value;
    else this.chips.set(name, value);
    this.showChips();
    this.changed();
  }

  showChips() {
    byId("chips").hidden = this.chips.size === 0;
    byId("chips").replaceChildren(...[...this.chips].map(([name, value]) => {
      const label = name.replace(ATTRIBUTE, "$1");
      const remove = () => { this.chips.delete(name); this.showChips(); this.changed(); };
      return element("li", {}, element("button",
        { type: "button", onclick: remove, "aria-label": `Remove filter ${label}` }, `${label} = ${value}  ×`));
    }));
  }
}
