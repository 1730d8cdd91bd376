// Dashboards as files.

import { saved } from "../core/saved.js";

const READ_ONLY = ["id", "version", "created_ms", "created_by", "changed_ms", "changed_by", "request_id", "execution_time_ms"];

/** What of a dashboard is the same in any workspace. */
export const contentOf = (dashboard) => Object.fromEntries(Object.entries(dashboard).filter(([name]) => !READ_ONLY.includes(name)));

/** Let the browser save a dashboard as a JSON file. */
export function download(dashboard) {
  const text = `${JSON.stringify(contentOf(dashboard), null, 2)}\n`, link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `${dashboard.name.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").toLowerCase() || "dashboard"}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Save the dashboard of a JSON file in the workspace, and return it. */
export async function upload(file) {
  let content;
  try {
    content = JSON.parse(await file.text());
  } catch {
    throw new SyntaxError(`${file.name} is not a JSON file.`);
  }
  return saved("dashboards").create(contentOf(content));
}
