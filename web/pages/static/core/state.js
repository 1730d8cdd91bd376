import { useState } from "../vendor/hooks.js";

/** State that begins again, as `first`, when `of` changes.
 *
 * An effect that sets it would run after the paint, and undo what was written until then.
 */
export function useStateOf(of, first) {
  const [kept, setKept] = useState({ of, state: first });
  const current = kept.of === of ? kept : { of, state: first };
  if (current !== kept) setKept(current);
  return [current.state, (state) => setKept({ of, state })];
}
