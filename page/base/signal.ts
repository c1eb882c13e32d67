/* A value that components follow. */
import { useEffect, useState } from 'preact/hooks';

export interface Signal<T> {
  get(): T;
  set(value: T): void;
  /** @returns what ends it */
  follow(listener: () => void): () => void;
}

export function signalOf<T>(first: T): Signal<T> {
  let value = first;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    follow(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

/** The value, in a component: it is drawn again when the value changes. */
export function useSignal<T>(signal: Signal<T>): T {
  const [value, setValue] = useState(() => signal.get());
  useEffect(() => {
    const take = () => setValue(() => signal.get());
    take();
    return signal.follow(take);
  }, [signal]);
  return value;
}
