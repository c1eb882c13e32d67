/*
 * What the server reports by itself: that the store has changed. Each such report increases a version, and every
 * document that is shown is then fetched again.
 */
import { signalOf } from '../base/signal.js';
import { eventsUrl } from './client.js';

export type Connection = 'connecting' | 'live' | 'lost';

export const connection = signalOf<Connection>('connecting');
/** Increases whenever documents may have changed. */
export const storeVersion = signalOf(0);

/** Changes of the store come in bursts: while an update is applied, for example. */
const burstMs = 150;
let pending: ReturnType<typeof setTimeout> | undefined;

/** Fetches all documents again, once for a burst of calls. */
export function refresh(): void {
  pending ??= setTimeout(() => {
    pending = undefined;
    storeVersion.set(storeVersion.get() + 1);
  }, burstMs);
}

/** Milliseconds until a connection that the server has refused is tried again. */
const pause = 2000;

/**
 * Follows the events of the server. The browser connects again by itself where the connection was lost, and sends the
 * id of the last event that it received. It gives up where the server refuses, because it was started again and knows
 * our session no more, for example: then we try again, and the documents say what is wrong.
 * @returns what ends it
 */
export function follow(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let source = open();
  function open(): EventSource {
    const opened = new EventSource(eventsUrl('/events'));
    opened.onopen = () => {
      if (connection.get() === 'lost') refresh();
      connection.set('live');
    };
    opened.onerror = () => {
      connection.set('lost');
      if (opened.readyState !== EventSource.CLOSED) return;
      refresh();
      timer = setTimeout(() => {
        source = open();
      }, pause);
    };
    for (const name of ['store', 'job']) opened.addEventListener(name, refresh);
    return opened;
  }
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
