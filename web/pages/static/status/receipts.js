import { param, set } from "../core/address.js";
import { get } from "../core/api.js";
import { number, toSecond } from "../core/format.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { asked } from "../core/range.js";
import { Figure, Part } from "./part.js";

const MEANINGS = {
  stored: "All of it is stored.", queued: "It waits to be stored.", dead: "A part could not be stored; see the dead letters.",
  dropped: "A part could not be stored, and was dropped.", unknown: "A part is no longer known.",
};

function Found({ receipt }) {
  return html`<p><strong class=${receipt.status === "stored" ? "good" : receipt.status === "queued" ? "" : "bad"}>${receipt.status}</strong> ${MEANINGS[receipt.status]}</p>
    <dl class="figures"><${Figure} name="Records" value=${number(receipt.records)} /><${Figure} name="Stored" value=${number(receipt.rows)} />
      <${Figure} name="Waiting" value=${number(receipt.queued)} /><${Figure} name="Dead letters" value=${number(receipt.dead)} bad=${receipt.dead > 0} />
      <${Figure} name="Dropped" value=${number(receipt.dropped)} bad=${receipt.dropped > 0} /><${Figure} name="Last change" value=${toSecond(receipt.at * 1000)} /></dl>`;
}

/** What became of a request, by the receipt in its answer. */
export function Receipts() {
  const id = param("receipt");
  const { content, error } = useLoaded(async (signal) => (id ? get(`/receipts/${encodeURIComponent(id)}`, {}, signal) : null), [id, asked.value]);
  const look = (event) => {
    event.preventDefault();
    const text = new FormData(event.target).get("receipt").trim();
    if (text === id) asked.value += 1;
    else set({ receipt: text });
  };
  return html`<${Part} title="Receipt" id="receipt" error=${error?.status === 403 ? error : null}>
    <form class="acts" onSubmit=${look}><input name="receipt" type="search" aria-label="Receipt" placeholder="Receipt of a request's answer" value=${id}
      maxlength="256" spellcheck=${false} autocomplete="off" /><button type="submit">Look up</button></form>
    ${error && error.status !== 403 && html`<p class="status bad" role="alert">${error.message}</p>`}
    ${content && html`<${Found} receipt=${content} />`}
    ${!id && html`<p class="soft">Each accepted request is answered with a receipt. It tells whether all of it is stored.</p>`}
  </${Part}>`;
}
