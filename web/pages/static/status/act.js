import { useState } from "../vendor/hooks.js";
import { html } from "../core/html.js";
import { Problem } from "../components/problem.js";

/** What to do on the server, and what became of it: `[act, Said]`; `act(promise, text)` says `text(answer)` once it is done. */
export function useAct(after) {
  const [state, setState] = useState({ text: "", error: null });
  const act = async (promise, text) => {
    setState({ text: "", error: null });
    try {
      const answer = await promise;
      setState({ text: text(answer), error: null });
    } catch (error) {
      setState({ text: "", error });
    }
    after?.();
  };
  const said = html`<p class="said" role="status">${state.text}</p><${Problem} error=${state.error} />`;
  return [act, said];
}
