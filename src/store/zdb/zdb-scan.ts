import { RespError, type RespValue } from './resp.ts';

type Ask = (words: readonly (string | Uint8Array)[]) => Promise<RespValue>;

/** Some keys; or why there are no more: the server's error, a server without SCAN, a reply that is none of SCAN. */
export type ScanPage = readonly Uint8Array[] | RespError | 'unsupported' | 'malformed';

/** Keys that a Redis is asked for at once. 0-db decides by itself: as many as it finds in two milliseconds. */
const redisCount = '1000';

/**
 * All keys of a namespace, page by page, from either server. 0-db's `SCAN [cursor]` answers `[cursor, [[key, size, time]…]]` and at
 * the end the error "No more data" (0-db's README, SCAN); Redis wants a cursor from the start and ends with the cursor 0.
 */
export async function* scanPages(ask: Ask): AsyncGenerator<ScanPage, void, void> {
  const first = await ask(['SCAN']);
  if (first instanceof RespError && /wrong number of arguments/i.test(first.text)) yield* redisPages(ask);
  else yield* zdbPages(ask, first);
}

async function* zdbPages(ask: Ask, first: RespValue): AsyncGenerator<ScanPage, void, void> {
  let previous: Uint8Array | undefined;
  for (let reply = first; ; ) {
    if (reply instanceof RespError) {
      if (/no more data/i.test(reply.text)) return;
      return yield /unknown command|not supported/i.test(reply.text) ? 'unsupported' : reply;
    }
    const page = pageOf(reply);
    // A cursor that does not move would never end.
    if (page === undefined || (previous && Buffer.compare(previous, page.cursor) === 0))
      return yield 'malformed';
    yield page.keys;
    previous = page.cursor;
    reply = await ask(['SCAN', page.cursor]);
  }
}

async function* redisPages(ask: Ask): AsyncGenerator<ScanPage, void, void> {
  for (let cursor: Uint8Array = Buffer.from('0'); ; ) {
    const reply = await ask(['SCAN', cursor, 'COUNT', redisCount]);
    if (reply instanceof RespError) return yield reply;
    const page = pageOf(reply);
    if (page === undefined) return yield 'malformed';
    yield page.keys;
    cursor = page.cursor;
    if (cursor.length === 1 && cursor[0] === 0x30) return;
  }
}

/** A reply of either server: the entries are keys, or arrays that begin with a key. */
function pageOf(reply: RespValue): { cursor: Uint8Array; keys: Uint8Array[] } | undefined {
  if (!Array.isArray(reply) || reply.length !== 2) return undefined;
  const [cursor, entries] = reply as readonly RespValue[];
  if (!(cursor instanceof Uint8Array) || !Array.isArray(entries)) return undefined;
  const keys: Uint8Array[] = [];
  for (const entry of entries as readonly RespValue[]) {
    const key = Array.isArray(entry) ? (entry as readonly RespValue[])[0] : entry;
    if (!(key instanceof Uint8Array)) return undefined;
    keys.push(key);
  }
  return { cursor, keys };
}
