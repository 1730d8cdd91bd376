// Text of records as it can be shown: nothing in it acts, and nothing in it is invisible.

const ESCAPE = "\u001b";
const STYLED = new RegExp(`${ESCAPE}\\[([0-9;]*)m`, "g");
// Control characters except tab and line feed, marks that change the direction of text, and characters without a shape of
// their own (Unicode's Default_Ignorable_Code_Point, but for the variation selectors that emoji have).
const HIDDEN = new RegExp("[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f"
  + "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb\\u{e0000}-\\u{e0fff}]+", "gu");
const ONE_LINE = 1000;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

const named = (character) => (character < " "
  ? String.fromCharCode(0x2400 + character.charCodeAt(0))
  : `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

function plain(text, classes) {
  const pieces = [];
  let at = 0;
  for (const { 0: characters, index } of text.matchAll(HIDDEN)) {
    if (index > at) pieces.push({ text: text.slice(at, index), classes });
    pieces.push({ text: [...characters].map(named).join(""), classes: `${classes} control` });
    at = index + characters.length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), classes });
  return pieces;
}

function styled(codes, current) {
  const next = { ...current };
  for (const code of codes.split(";").map(Number)) {
    if (code === 0) Object.assign(next, { colour: "", bold: false });
    else if (code === 1) next.bold = true;
    else if (code === 22) next.bold = false;
    else if (code === 39) next.colour = "";
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) next.colour = COLOURS[code % 10];
  }
  return next;
}

const classesOf = ({ colour, bold }) => [colour && `ansi-${colour}`, bold && "ansi-bold"].filter(Boolean).join(" ");

/** Pieces `{text, classes}` of a text: ANSI colours become classes, control characters symbols. */
export function pieces(text) {
  const made = [];
  const add = (part) => { for (const piece of plain(part, classesOf(style))) made.push(piece); };
  let at = 0, style = { colour: "", bold: false };
  for (const match of text.matchAll(STYLED)) {
    add(text.slice(at, match.index));
    style = styled(match[1], style);
    at = match.index + match[0].length;
  }
  add(text.slice(at));
  return made;
}

/** A text of at most so many characters, without colours and with symbols for control characters. */
export function shortened(text, most) {
  const shown = pieces(text.slice(0, most)).map((piece) => piece.text).join("");
  return text.length > most ? `${shown}…` : shown;
}

/** The same for a text of usual length: names, values, titles. */
export const visible = (text) => shortened(text, ONE_LINE);
