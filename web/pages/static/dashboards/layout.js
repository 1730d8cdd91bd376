// Where panels are: in the order of the list, each some of the page's twelve columns wide.

const WIDTHS = [3, 4, 6, 8, 9, 12];
const HEIGHTS = [2, 3, 4, 6, 8, 12];

export const ROW_PX = 56, GAP_PX = 10;

/** The height of a panel in pixels. */
export const pixels = (rows) => rows * ROW_PX + (rows - 1) * GAP_PX;

function stepped(steps, value, by) {
  const larger = steps.findIndex((each) => each >= value), place = larger < 0 ? steps.length - 1 : larger;
  return steps[Math.max(0, Math.min(steps.length - 1, place + by))];
}

export const widened = (panel, by) => ({ ...panel, width: stepped(WIDTHS, panel.width, by) });

export const heightened = (panel, by) => ({ ...panel, height: stepped(HEIGHTS, panel.height, by) });

/** A list with the member at `from` moved to `to`; the same list if there is no such place. */
export function moved(list, from, to) {
  if (to < 0 || to >= list.length || from === to) return list;
  const rest = list.filter((_, place) => place !== from);
  return [...rest.slice(0, to), list[from], ...rest.slice(to)];
}

/** A key for each panel: the same wherever it is and whatever its size, another if it asks for something else. */
export function keysOf(panels) {
  const seen = new Map();
  return panels.map(({ kind, signal, query }) => {
    const text = JSON.stringify([kind, signal, query]), count = seen.get(text) ?? 0;
    seen.set(text, count + 1);
    return `${count} ${text}`;
  });
}

/** The usual size of a new panel. */
export const sizeOf = (kind) => ({ number: { width: 3, height: 2 }, metric_number: { width: 3, height: 2 }, top_values: { width: 4, height: 4 }, logs: { width: 12, height: 6 } }[kind]
  ?? { width: 6, height: 4 });
