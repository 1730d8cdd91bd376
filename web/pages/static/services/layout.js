// Places of services on the map: callers left of what they call.

export const NODE = { width: 168, height: 40, across: 96, down: 18, edge: 12 };

/** Edges without those that close a circle, and without calls of a service to itself. */
function withoutCircles(names, edges) {
  const calls = new Map(names.map((name) => [name, []]));
  for (const edge of edges) if (edge.caller !== edge.callee) calls.get(edge.caller)?.push(edge);
  const state = new Map(), kept = [];
  const called = new Set(edges.filter(({ caller, callee }) => caller !== callee).map(({ callee }) => callee));
  for (const start of [...names].sort((one, other) => called.has(one) - called.has(other))) {
    const stack = state.has(start) ? [] : [[start, 0]];
    if (stack.length) state.set(start, "open");
    while (stack.length) {
      const top = stack.at(-1), edge = calls.get(top[0])[top[1]++];
      if (!edge) {
        state.set(top[0], "closed");
        stack.pop();
      } else if (state.get(edge.callee) !== "open") {
        kept.push(edge);
        if (!state.has(edge.callee)) {
          state.set(edge.callee, "open");
          stack.push([edge.callee, 0]);
        }
      }
    }
  }
  return kept;
}

/** The layer of each service: one right of its rightmost caller. */
function layersOf(names, edges) {
  const layer = new Map(names.map((name) => [name, 0]));
  for (let round = 0, changed = true; changed && round < names.length; round++) {
    changed = false;
    for (const { caller, callee } of edges) {
      if (layer.get(callee) > layer.get(caller)) continue;
      layer.set(callee, layer.get(caller) + 1);
      changed = true;
    }
  }
  return layer;
}

/** Order within layers: at the mean of the neighbours, a few times in both directions. */
function ordered(columns, edges) {
  const place = new Map();
  const number = (column) => column.forEach((name, at) => place.set(name, at - column.length / 2));
  columns.forEach(number);
  const mean = (name, near, far) => {
    const others = edges.filter((edge) => edge[near] === name).map((edge) => place.get(edge[far]));
    return others.length ? others.reduce((sum, at) => sum + at, 0) / others.length : place.get(name);
  };
  for (let round = 0; round < 4; round++) {
    const [near, far] = round % 2 ? ["caller", "callee"] : ["callee", "caller"];
    for (const column of round % 2 ? [...columns].reverse() : columns) {
      const means = new Map(column.map((name) => [name, mean(name, near, far)]));
      column.sort((one, other) => means.get(one) - means.get(other));
      number(column);
    }
  }
}

/** `{nodes: Map of name to {x, y}, width, height}` for services and the calls between them. */
export function layout(names, edges) {
  const known = new Set(names), between = edges.filter(({ caller, callee }) => known.has(caller) && known.has(callee));
  const forward = withoutCircles(names, between), layer = layersOf(names, forward), columns = [];
  for (const name of names) (columns[layer.get(name)] ??= []).push(name);
  const used = columns.filter(Boolean);
  ordered(used, forward);
  const height = Math.max(0, ...used.map((column) => column.length)) * (NODE.height + NODE.down) - NODE.down + 2 * NODE.edge;
  const nodes = new Map();
  used.forEach((column, at) => {
    const top = (height - column.length * (NODE.height + NODE.down) + NODE.down) / 2;
    column.forEach((name, row) => nodes.set(name, { x: NODE.edge + at * (NODE.width + NODE.across), y: top + row * (NODE.height + NODE.down) }));
  });
  return { nodes, width: used.length * (NODE.width + NODE.across) - NODE.across + 2 * NODE.edge, height };
}
