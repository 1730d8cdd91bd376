/** Parameters by name as pairs for a query: lists are repeated, objects become `name[key]`. */
export function pairsOf(query) {
  return Object.entries(query).flatMap(([name, value]) => {
    if (Array.isArray(value)) return value.map((each) => [name, each]);
    if (value && typeof value === "object") return Object.entries(value).map(([key, each]) => [`${name}[${key}]`, each]);
    return [[name, value]];
  });
}

/** Pairs as lists of values by name. */
export function grouped(pairs) {
  const found = Object.create(null);
  for (const [name, value] of pairs) (found[name] ??= []).push(value);
  return found;
}
