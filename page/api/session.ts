/* Who looks at the page, and what this server lets them do. */
import { signalOf } from '../base/signal.js';

/** As GET /store answers. */
export interface StoreDocument {
  readonly version: string;
  readonly store: string;
  readonly generation: number;
  readonly allowChanges: boolean;
  /** The name of the token of the session; null: the server uses none. */
  readonly token: string | null;
  readonly serverTime: string;
}

/** The server wants a token before it answers. */
export const needsToken = signalOf(false);
export const session = signalOf<StoreDocument | undefined>(undefined);
/** How far the server's clock is ahead of this one, in milliseconds. */
let ahead = 0;

export function setSession(document: StoreDocument): void {
  ahead = new Date(document.serverTime).getTime() - Date.now();
  session.set(document);
}

/** The server's time, in milliseconds. */
export const serverNow = (): number => Date.now() + ahead;
