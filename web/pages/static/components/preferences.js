import { html } from "../core/html.js";
import { theme, zone } from "../core/preferences.js";

const THEMES = { system: ["light", "◐", "System colours"], light: ["dark", "☀", "Light"], dark: ["system", "☾", "Dark"] };

/** The switches of the header: colours, and the zone of all times. */
export function Preferences() {
  const [next, sign, name] = THEMES[theme.value] ?? THEMES.system;
  const local = zone.value === "local";
  return html`
    <button type="button" class="quiet" onClick=${() => { zone.value = local ? "utc" : "local"; }}
      title="Times are in ${local ? "this computer's zone" : "UTC"}; click for the other">
      ${local ? "Local time" : "UTC"}</button>
    <button type="button" class="quiet" aria-label="Colours: ${name}" title="Colours: ${name}"
      onClick=${() => { theme.value = next; }}>${sign}</button>`;
}
