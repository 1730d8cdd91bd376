// The saved page: the viewer, and its colours.

import { byId } from "../../../pages/static/dom.js";
import { Viewer } from "../../../pages/static/traces/viewer/viewer.js";

const viewer = new Viewer(byId("viewer"), JSON.parse(byId("content").textContent));

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").textContent = dark ? "Light" : "Dark";
  viewer.page.changed({ overview: true });
}

setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
byId("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme !== "dark"));
