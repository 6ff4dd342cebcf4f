/** @file An abort whose moment is an event of the work, not a time. */

/** `awaited` resolves when the work that was given the signal begins to listen for its abort. */
export function watchedAbort(): { readonly controller: AbortController; readonly awaited: Promise<void> } {
  const controller = new AbortController();
  const { signal } = controller;
  const listen = signal.addEventListener.bind(signal);
  const awaited = new Promise<void>((resolve) => {
    signal.addEventListener = (...given: Parameters<typeof listen>) => {
      listen(...given);
      resolve();
    };
  });
  return { controller, awaited };
}
