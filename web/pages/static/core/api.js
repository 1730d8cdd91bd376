const prefix = document.documentElement.dataset.api;

/** An answer that is not a success.
 *
 * `message` is a sentence, `fields` has the reasons by parameter, and `places` says where in a query
 * a mistake is: `{field, position, length, text}`.
 */
export class ApiError extends Error {
  constructor(message, status = 0, { fields = {}, places = [] } = {}) {
    super(message);
    this.status = status;
    this.fields = fields;
    this.places = places;
  }
}

function sentence(status, error) {
  if (!error) return `The server responded with HTTP ${status}.`;
  const fields = Object.entries(error.fields ?? {})
    .map(([name, reasons]) => `${name}: ${[reasons].flat().map(String).join(" ")}`);
  return [error.reason, ...fields].join(" ");
}

async function send(path, request) {
  try {
    return await fetch(`${prefix}${path}`, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached.");
  }
}

async function checked(response) {
  if (response.ok) return response;
  const content = await response.json().catch(() => null);
  throw new ApiError(sentence(response.status, content?.error), response.status, content?.error);
}

async function json(method, path, body, signal) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const text = body === undefined ? undefined : JSON.stringify(body);
  const response = await checked(await send(path, { method, signal, headers, body: text }));
  return response.status === 204 ? null : response.json();
}

/** The address of a path below the API's prefix; `query` is an object or a list of pairs. */
export function addressOf(path, query = {}) {
  const pairs = (Array.isArray(query) ? query : Object.entries(query))
    .filter(([, value]) => value !== undefined && value !== null && value !== "");
  return pairs.length ? `${path}?${new URLSearchParams(pairs)}` : path;
}

/** GET JSON. Raises ApiError; aborted by `signal`. */
export const get = (path, query, signal) => json("GET", addressOf(path, query), undefined, signal);

export const post = (path, body, signal) => json("POST", path, body, signal);

export const put = (path, body) => json("PUT", path, body);

export const remove = (path) => json("DELETE", path);

/** POST `body` and return the file in the answer, as a Blob. */
export async function file(path, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await send(path, { method: "POST", headers, body: JSON.stringify(body) });
  return (await checked(response)).blob();
}

/** The whole address of an API path, for a link or a curl command. */
export const wholeAddress = (path, query) => `${location.origin}${prefix}${addressOf(path, query)}`;

/** A stream of server-sent events. */
export const events = (path, query) => new EventSource(`${prefix}${addressOf(path, query)}`);
