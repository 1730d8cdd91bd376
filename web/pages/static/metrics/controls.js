import { set } from "../core/address.js";
import { html } from "../core/html.js";
import { visible } from "../core/text.js";
import { useState } from "../vendor/hooks.js";
import { Popover } from "../components/popover.js";
import { quantileName, SERVICE, setBy, setFilters } from "./question.js";

const QUANTILES = ["0.5,0.95,0.99", "0.5", "0.9", "0.95", "0.99", "0.999"];
const MEANINGS = { rate: "rate (per second)", avg: "average", min: "minimum", max: "maximum", last: "last value" };

const quantilesName = (text) => text.split(",").map(quantileName).join(", ");

/** The aggregation, and the quantiles if it is one. */
export function Aggregation({ metric, question }) {
  const chosen = question.quantiles.join(",");
  const known = QUANTILES.includes(chosen) ? QUANTILES : [chosen, ...QUANTILES];
  return html`<label class="field">Aggregation <select value=${question.aggregation}
      onChange=${(event) => set({ aggregation: event.target.value, quantile: "" })}>
      ${metric.aggregations.map((name) => html`<option key=${name} value=${name}>${MEANINGS[name] ?? name}</option>`)}</select></label>
    ${question.aggregation === "quantile" && html`<label class="field"><span class="hidden">Quantiles</span>
      <select value=${chosen} onChange=${(event) => set({ quantile: event.target.value })}>
      ${known.map((text) => html`<option key=${text} value=${text}>${quantilesName(text)}</option>`)}</select></label>`}`;
}

/** What can be grouped and filtered by, with some values. */
const keysOf = (metric) => ({ [SERVICE]: metric.services, ...metric.attributes });

/** The attributes to group by. */
export function GroupBy({ metric, by }) {
  const keys = [...new Set([...Object.keys(keysOf(metric)), ...by])];
  const turn = (key, on) => setBy(on ? [...by, key] : by.filter((each) => each !== key));
  return html`<${Popover} label=${html`Group by${by.length ? html`: <strong>${by.map(visible).join(", ")}</strong>` : ""} ▾`} panel="left">
    ${() => html`<fieldset class="choices-of"><legend class="hidden">Group by</legend>
      ${keys.map((key) => html`<label key=${key}><input type="checkbox" checked=${by.includes(key)}
        onChange=${(event) => turn(key, event.target.checked)} /> ${visible(key)}</label>`)}</fieldset>`}
  </${Popover}>`;
}

function FilterForm({ metric, filters, close }) {
  const keys = keysOf(metric), [key, setKey] = useState(SERVICE), [value, setValue] = useState("");
  const add = (event) => {
    event.preventDefault();
    setFilters([...filters.filter(([each]) => each !== key), [key, value]]);
    close();
  };
  return html`<form class="filter" onSubmit=${add}>
    <label>Attribute<select value=${key} onChange=${(event) => { setKey(event.target.value); setValue(""); }}>
      ${Object.keys(keys).map((each) => html`<option key=${each} value=${each}>${visible(each)}</option>`)}</select></label>
    <label>Value<input required list="filter-values" value=${value} autocomplete="off" spellcheck=${false} maxlength="4096"
      onInput=${(event) => setValue(event.target.value)} /></label>
    <datalist id="filter-values">${(keys[key] ?? []).map((each) => html`<option key=${each} value=${each}></option>`)}</datalist>
    <button type="submit" class="primary">Add filter</button>
  </form>`;
}

/** The filters, each with a button that removes it, and one that adds another. */
export function Filters({ metric, filters }) {
  return html`${filters.map(([key, value]) => html`<button type="button" key=${key} class="chip" title="Remove filter"
      aria-label="Remove filter ${visible(key)}" onClick=${() => setFilters(filters.filter(([each]) => each !== key))}>
      ${visible(key)} = ${visible(value)} <span aria-hidden="true">×</span></button>`)}
    <${Popover} label="Filter +" title="Add a filter" panel="left">
      ${(close) => html`<${FilterForm} metric=${metric} filters=${filters} close=${close} />`}</${Popover}>`;
}
