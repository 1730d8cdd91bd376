import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { html } from "../core/html.js";

/** A button that opens a panel below it. Escape and a click elsewhere close the panel.
 *
 * `children` is a function that gets `close`. The focus returns to the button.
 */
export function Popover({ label, title, id, class: name = "", panel = "", onOpen, children }) {
  const [shown, setShown] = useState(false);
  const whole = useRef(null), button = useRef(null);
  const close = () => { setShown(false); button.current?.focus(); };
  useEffect(() => {
    if (!shown) return undefined;
    const outside = (event) => { if (!whole.current?.contains(event.target)) setShown(false); };
    // Before the view's own keys, wherever the focus is: what had it may be gone.
    const onKeyDown = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close();
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("keydown", onKeyDown, true);
    whole.current.querySelector(".popover")?.querySelector("input, button, a, select, [tabindex]")?.focus();
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("keydown", onKeyDown, true);
    };
  }, [shown]);
  const toggle = () => { if (!shown) onOpen?.(); setShown(!shown); };
  return html`<div class="anchor" ref=${whole}>
    <button type="button" id=${id} ref=${button} class=${name} title=${title} aria-expanded=${shown} onClick=${toggle}>${label}</button>
    ${shown && html`<div class="popover ${panel}">${children(close)}</div>`}
  </div>`;
}
