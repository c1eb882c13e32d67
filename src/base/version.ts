/** Set by the bundler; absent where the sources run unbundled (tests). */
declare const __LAMINA_VERSION__: string | undefined;

/** The version of this program, as in package.json; `0.0.0-dev` where the sources run unbundled. */
export const version: string = typeof __LAMINA_VERSION__ === 'undefined' ? '0.0.0-dev' : __LAMINA_VERSION__;
