// What a workspace saves on the server: searches and dashboards.

import { addressOf, get, post, put, remove } from "./api.js";
import { param } from "./address.js";

const workspace = () => (param("workspace_id") ? { workspace_id: param("workspace_id") } : {});

/** `kind` is `saved-searches` or `dashboards`. What is saved has an `id` and a `version`, and can be sent again as it is. */
export function saved(kind) {
  const path = `/${kind}`, at = (id) => `${path}/${encodeURIComponent(id)}`;
  return {
    /** All of them, by name; dashboards without their panels. */
    list: async (signal) => (await get(path, workspace(), signal))[kind.replace("-", "_")],

    one: (id, signal) => get(at(id), workspace(), signal),

    /** Save something new, and return it. */
    create: (content) => post(path, { ...content, ...workspace() }),

    /** Replace one, and return it; answered 409 if it is no longer at its `version`. */
    change: (content) => put(at(content.id), { ...content, ...workspace() }),

    remove: ({ id, version }) => remove(addressOf(at(id), { ...workspace(), version })),
  };
}
