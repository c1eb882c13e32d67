import { Option } from 'commander';
import type { ChosenEngine, EngineWish } from '../app/containers.js';
import { someOf } from '../base/some-of.js';
import { shown } from './output.js';
import type { Output } from './output.js';

export type { EngineWish };

const wishes: readonly EngineWish[] = ['fuse', 'kernel', 'auto'];

export const engineOption = (description: string) => new Option('--engine <engine>', description).choices(wishes);

export const engineHelp = "what mounts it: laminafs, the kernel's overlayfs, or that where it shows the same";

/** What `auto` has taken, and why. */
export function noteEngine(output: Output, { engine, because }: ChosenEngine): void {
  if (because !== undefined) output.note(`mounted by the engine ${engine}: ${because}`);
}

const mostNamed = 5;

/** What `auto` has taken for the containers of an update. */
export class EnginesTaken {
  /** By what is said of them. */
  readonly #containers = new Map<string, string[]>();

  readonly add = (container: string, { engine, because }: ChosenEngine): void => {
    if (because === undefined) return;
    const words = `by the engine ${engine}: ${because}`;
    this.#containers.set(words, [...(this.#containers.get(words) ?? []), container]);
  };

  /** One for each reason. */
  lines(): string[] {
    return [...this.#containers].map(([words, containers]) => {
      return `ran in ${someOf(containers.map(shown), mostNamed)} ${words}`;
    });
  }

  note(output: Output): void {
    for (const line of this.lines()) output.note(line);
  }
}
