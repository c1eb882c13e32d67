/** What was typed, without the program: for the notes by which other commands name this one. */
let words: readonly string[] = [];

/** Called once, by the program that has a command line. */
export function setCommandWords(typed: readonly string[]): void {
  words = typed;
}

export const commandWords = (): readonly string[] => words;

let report = (text: string): void => {
  process.emitWarning(text);
};

/** Says that something is left undone which does not fail the command. */
export function warn(text: string): void {
  report(text);
}

/** Warnings go to `listener`, from now on. */
export function onWarning(listener: (text: string) => void): void {
  report = listener;
}
