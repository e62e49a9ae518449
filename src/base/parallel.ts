/**
 * Works on items, up to `concurrency` of them at one time, taken in order. The first failure ends the work: its signal
 * aborts what is underway and nothing more is begun. Returns or throws when nothing is underway any more.
 * @throws what the first failing item threw.
 */
export async function forEachParallel<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  concurrency: number,
  work: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const reader = queueOf(items);
  const worker = async () => {
    try {
      for await (const item of reader) {
        if (failed.signal.aborted) return;
        await work(item, failed.signal);
      }
    } catch (error) {
      failed.abort(error); // only the first reason counts
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  failed.signal.throwIfAborted();
}

/** Several workers may take from a generator at the same time; it does not end because one of them stops. */
async function* queueOf<Item>(items: Iterable<Item> | AsyncIterable<Item>): AsyncGenerator<Item> {
  yield* items;
}
