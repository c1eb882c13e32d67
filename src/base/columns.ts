/** Marks that are drawn over the character before them, and what is not drawn. */
const none = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

/** East Asian characters, and pictures (Unicode Standard Annex 11). */
const two =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]$/u;

/** How many columns of a terminal a text takes that holds no control characters. */
export function columnsOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  return Array.from(text).reduce((sum, each) => sum + (none.test(each) ? 0 : two.test(each) ? 2 : 1), 0);
}

/** As `padEnd`, for a terminal. */
export const padded = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - columnsOf(text)));
