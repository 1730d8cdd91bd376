// Text of records as it can be shown: nothing in it acts, and nothing in it is invisible.

const ESCAPE = "\u001b";
const STYLED = new RegExp(`${ESCAPE}\\[([0-9;]*)m`, "g");
// Control characters except tab and line feed; marks that change the direction or width of text.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

const named = (character) => (character < " "
  ? String.fromCharCode(0x2400 + character.charCodeAt(0))
  : `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

function plain(text, classes) {
  const pieces = [];
  let at = 0;
  for (const { 0: character, index } of text.matchAll(HIDDEN)) {
    if (index > at) pieces.push({ text: text.slice(at, index), classes });
    pieces.push({ text: named(character), classes: `${classes} control` });
    at = index + 1;
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
  let at = 0, style = { colour: "", bold: false };
  for (const match of text.matchAll(STYLED)) {
    made.push(...plain(text.slice(at, match.index), classesOf(style)));
    style = styled(match[1], style);
    at = match.index + match[0].length;
  }
  made.push(...plain(text.slice(at), classesOf(style)));
  return made;
}

/** A text without colours and with symbols for control characters. */
export const visible = (text) => pieces(text).map((piece) => piece.text).join("");
