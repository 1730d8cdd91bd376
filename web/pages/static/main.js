import { render } from "./vendor/preact.js";
import { Suspended } from "./components/suspended.js";
import { Preferences } from "./components/preferences.js";
import { followLinks, linkTo, open, path } from "./core/address.js";
import { effect } from "./vendor/signals.js";
import { html } from "./core/html.js";
import { VIEWS } from "./views.js";

const isView = (where) => VIEWS.some(({ route }) => route.test(where));

function Page() {
  const view = VIEWS.find(({ route }) => route.test(path.value));
  if (!view) return html`<p class="empty">There is no such page.</p>`;
  return html`<${Suspended} key=${view.title} load=${view.load} named=${view.route.exec(path.value).slice(1)} />`;
}

/** The links of the header, which the server has made, lead to the shared time range and workspace. */
function keepNavigation() {
  const view = VIEWS.find(({ route }) => route.test(path.value));
  document.title = `Sheaf · ${view?.title ?? "Not found"}`;
  for (const link of document.querySelectorAll("header nav a[data-view]")) {
    link.href = linkTo(link.dataset.view);
    if (link.textContent.trim() === view?.section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

followLinks(isView);
effect(keepNavigation);
render(html`<${Preferences} />`, document.getElementById("preferences"));
render(html`<${Page} />`, document.getElementById("view"));

// Old addresses of the log page had milliseconds and a length instead of the range's texts.
const old = new URLSearchParams(location.search);
if (old.has("start_time_ms") || old.has("range")) {
  const length = Number(old.get("range"));
  const range = length ? { from: `now-${length / 1000}s`, to: "" } : { from: old.get("start_time_ms"), to: old.get("end_time_ms") };
  for (const name of ["range", "start_time_ms", "end_time_ms"]) old.delete(name);
  open(`${location.pathname}?${new URLSearchParams([...old, ...Object.entries(range).filter(([, text]) => text)])}`, { replace: true });
}
