/**
 * Names are bytes. A byte path is a JavaScript string with one character (U+0000…U+00FF) per byte, so that it is
 * lossless, compares by byte, and serves as a map key. Paths inside a tree are relative, without a leading slash; the
 * root is the empty string.
 */
export type BytePath = string & { readonly __bytePath: unique symbol };
