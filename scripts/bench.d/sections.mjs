// All sections, in the order of the page.
import { section as copyUp } from './copy-up.mjs';
import { section as fleet } from './fleet.mjs';
import { section as images } from './images.mjs';
import { section as lowers } from './lowers.mjs';
import { section as manifest } from './manifest.mjs';
import { section as memory } from './memory.mjs';
import { section as messages } from './messages.mjs';
import { section as pageCache } from './page-cache.mjs';
import { section as drivers } from './rounds.mjs';
import { section as scaling } from './scaling.mjs';
import { section as services } from './services.mjs';
import { section as servicing } from './servicing.mjs';
import { section as slowDisk } from './slow-disk.mjs';
import { section as store } from './store.mjs';
import { section as takeOver } from './take-over.mjs';

/**
 * @typedef {object} Section
 * @property {string} name   of the command line and of build/bench/NAME.json
 * @property {string} title  on the page
 * @property {(context: { checkout: string, scratch: string, laminafs: string, options: object, earlier?: unknown, keep:
 * (data: unknown) => void }) => unknown} measure
 *   figures, for JSON. `earlier`: those of a run before, to add to; `keep` writes what there is so far
 * @property {(data: any) => string} text                               of the page, from the figures alone
 * @property {(data: any) => Record<string, string>} [pictures]         files under docs/
 */

/** @type {Section[]} */
export const sections = [
  drivers,
  lowers,
  memory,
  copyUp,
  scaling,
  pageCache,
  messages,
  servicing,
  slowDisk,
  fleet,
  manifest,
  store,
  images,
  takeOver,
  services,
];
