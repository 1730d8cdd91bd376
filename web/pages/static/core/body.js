const ATTRIBUTE = /^attributes\[(.*)\]$/s;

/** Parameters of a query, as pairs, as the JSON body that means the same. */
export function bodyOf(pairs) {
  // Without a prototype: a name may be that of one of its members.
  const body = Object.create(null);
  for (const [name, value] of pairs) {
    const key = ATTRIBUTE.exec(name)?.[1];
    if (value === "" || value === null || value === undefined) continue;
    if (key !== undefined) (body.attributes ??= Object.create(null))[key] = value;
    else body[name] = name in body ? [body[name], value].flat() : value;
  }
  return body;
}
