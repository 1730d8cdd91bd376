import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

// Importing it makes components that read a signal render again when the signal changes.
import "../vendor/signals.js";

/** Elements from a template literal. Values become text or properties, never markup. */
export const html = htm.bind(h);
