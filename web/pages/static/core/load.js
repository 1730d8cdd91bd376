import { useEffect, useState } from "../vendor/hooks.js";

const NOTHING = { content: null, error: null, loading: true };

/** Load something whenever `inputs` change: `read(signal)` is a promise of the content.
 *
 * An error removes the content that was shown before, which belongs to another question.
 */
export function useLoaded(read, inputs) {
  const [state, setState] = useState(NOTHING);
  useEffect(() => {
    const controller = new AbortController();
    setState((before) => ({ ...before, error: null, loading: true }));
    read(controller.signal).then(
      (content) => setState({ content, error: null, loading: false }),
      (error) => {
        if (error.name !== "AbortError" && !controller.signal.aborted) setState({ content: null, error, loading: false });
      },
    );
    return () => controller.abort();
  }, inputs);
  return state;
}
