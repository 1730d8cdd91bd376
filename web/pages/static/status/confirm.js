import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { html } from "../core/html.js";

/** A button whose act cannot be undone: it asks first. The focus stays with the question, and returns. */
export function Confirmed({ label, question, yes, title, onYes }) {
  const [asking, setAsking] = useState(false), first = useRef(null), button = useRef(null), asked = useRef(false);
  useEffect(() => {
    if (asking) first.current?.focus();
    else if (asked.current) button.current?.focus();
    asked.current = asking;
  }, [asking]);
  if (!asking) {
    return html`<button type="button" class="small" ref=${button} aria-label=${title} onClick=${() => setAsking(true)}>${label}</button>`;
  }
  const onKeyDown = (event) => { if (event.key === "Escape") setAsking(false); };
  return html`<span class="confirm" role="group" aria-label=${question} onKeyDown=${onKeyDown}><span>${question}</span>
    <button type="button" class="small bad" onClick=${() => { setAsking(false); onYes(); }}>${yes}</button>
    <button type="button" class="small" ref=${first} onClick=${() => setAsking(false)}>Cancel</button></span>`;
}
