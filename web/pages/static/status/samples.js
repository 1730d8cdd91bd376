import { useRef } from "../vendor/hooks.js";
import { param } from "../core/address.js";
import { get } from "../core/api.js";
import { usePolled } from "./poll.js";

export const EVERY_MS = 2000;
export const MOST_SAMPLES = 150;

/** The answers of `/status` of the last minutes, the newest last, and the error of the last request. */
export function useSamples() {
  const workspace = param("workspace_id"), kept = useRef({ workspace, samples: [] });
  if (kept.current.workspace !== workspace) kept.current = { workspace, samples: [] };
  const { content, error } = usePolled((signal) => get("/status", { workspace_id: workspace }, signal), EVERY_MS, [workspace]);
  const { samples } = kept.current;
  if (content && samples.at(-1) !== content) kept.current.samples = [...samples, content].slice(-MOST_SAMPLES);
  return [kept.current.samples, error];
}
