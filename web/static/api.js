const prefix = document.documentElement.dataset.api;

export class ApiError extends Error {}

function sentence(status, content) {
  const error = content?.error;
  if (!error) return `The server answered ${status}.`;
  const fields = Object.entries(error.fields).map(([name, reasons]) => `${name}: ${reasons.join(" ")}`);
  return [error.reason, ...fields].join(" ");
}

/** JSON of a GET below the API's prefix; `query` is a URLSearchParams. */
export async function get(path, query, signal) {
  let response;
  try {
    response = await fetch(`${prefix}${path}?${query}`, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached.");
  }
  const content = await response.json().catch(() => null);
  if (!response.ok || content === null) throw new ApiError(sentence(response.status, content));
  return content;
}
