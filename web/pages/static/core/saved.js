// What a workspace saves on the server: searches and dashboards.

import { addressOf, get, post, put, remove } from "./api.js";
import { inWorkspace } from "./address.js";

/** `kind` is `saved-searches` or `dashboards`. What is saved has an `id` and a `version`, and can be sent again as it is. */
export function saved(kind) {
  const path = `/${kind}`, at = (id) => `${path}/${encodeURIComponent(id)}`;
  return {
    /** All of them, by name; dashboards without their panels. */
    list: async (signal) => (await get(path, inWorkspace(), signal))[kind.replace("-", "_")],

    one: (id, signal) => get(at(id), inWorkspace(), signal),

    /** Save something new, and return it. */
    create: (content) => post(path, { ...content, ...inWorkspace() }),

    /** Replace one, and return it; answered 409 if it is no longer at its `version`. */
    change: (content) => put(at(content.id), { ...content, ...inWorkspace() }),

    remove: ({ id, version }) => remove(addressOf(at(id), { ...inWorkspace(), version })),
  };
}
