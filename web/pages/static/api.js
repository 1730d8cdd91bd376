const prefix = document.documentElement.dataset.api;

/** `message` is a sentence; `fields` has the reasons by wrong parameter. */
export class ApiError extends Error {
  constructor(message, fields = {}) {
    super(message);
    this.fields = fields;
  }
}

function sentence(status, content) {
  const error = content?.error;
  if (!error) return `The server responded with HTTP ${status}.`;
  const fields = Object.entries(error.fields).map(([name, reasons]) => `${name}: ${reasons.join(" ")}`);
  return [error.reason, ...fields].join(" ");
}

async function answered(path, request) {
  try {
    return await fetch(`${prefix}${path}`, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached.");
  }
}

/** GET JSON from a path below the API's prefix; `query` is a URLSearchParams. */
export async function get(path, query, signal) {
  const response = await answered(`${path}?${query}`, { signal, headers: { Accept: "application/json" } });
  const content = await response.json().catch(() => null);
  if (!response.ok || content === null) {
    throw new ApiError(sentence(response.status, content), content?.error?.fields);
  }
  return content;
}

/** POST `body` and return the file in the answer, as a Blob. */
export async function download(path, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await answered(path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new ApiError(sentence(response.status, await response.json().catch(() => null)));
  return response.blob();
}
