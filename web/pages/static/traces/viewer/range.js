// The visible part of the whole time range.

const SHORTEST = 0.01;

export class Range {
  /** `changed()` is called after each change. */
  constructor(changed) {
    this.changed = changed;
    this.whole = 1;
    this.from = 0;
    this.to = 1;
  }

  get length() { return this.to - this.from; }
  get zoomed() { return this.length < this.whole; }

  /** Set the length of the whole, and show all of it. */
  reset(whole) {
    this.whole = Math.max(whole, SHORTEST);
    this.fit();
  }

  fit() { this.show(0, this.whole); }

  /** Show a time range, moved and clipped to fit into the whole. */
  show(from, to) {
    const length = Math.min(Math.max(to - from, SHORTEST), this.whole);
    this.from = Math.min(Math.max(from, 0), this.whole - length);
    this.to = this.from + length;
    this.changed();
  }

  /** Show `factor` times as much; the instant at `share` of the width (0 to 1) stays in place. */
  zoom(factor, share = 0.5) {
    const fixed = this.from + share * this.length;
    const length = Math.min(this.length * factor, this.whole);
    this.show(fixed - share * length, fixed + (1 - share) * length);
  }

  /** Move by a share of what is shown. */
  pan(share) { this.show(this.from + share * this.length, this.to + share * this.length); }

  /** Show a time range with a margin. */
  around(from, to) {
    const margin = Math.max((to - from) * 0.06, SHORTEST);
    this.show(from - margin, to + margin);
  }

  /** Pan if the time range is out of view. */
  reveal(from, to) {
    if (to >= this.from && from <= this.to) return;
    this.show(from - this.length * 0.3, from + this.length * 0.7);
  }

  /** The position of an instant, in pixels, on a lane of `width` pixels. */
  x(time, width) { return ((time - this.from) / this.length) * width; }

  /** The instant at a share of the width. */
  at(share) { return this.from + share * this.length; }
}
