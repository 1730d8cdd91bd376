const ATTRIBUTE = /^attributes\[(.*)\]$/s;

/** Parameters of a query, as pairs, as the JSON body that means the same. */
export function bodyOf(pairs) {
  const body = {};
  for (const [name, value] of pairs) {
    const key = ATTRIBUTE.exec(name)?.[1];
    if (value === "" || value === null || value === undefined) continue;
    if (key !== undefined) (body.attributes ??= {})[key] = value;
    else body[name] = name in body ? [body[name], value].flat() : value;
  }
  return body;
}
