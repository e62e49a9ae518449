import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader } from './byte-reader.ts';

async function* chunked(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

/** A source of chunks of seven bytes that can leave bytes out. */
function skipping(all: Uint8Array) {
  let at = 0;
  return {
    async next(): Promise<IteratorResult<Uint8Array>> {
      const value = all.subarray(at, at + 7);
      at += value.length;
      return value.length > 0 ? { done: false, value } : { done: true, value: undefined };
    },
    async skip(size: number) {
      const skipped = Math.min(size, Math.max(0, all.length - at));
      at += skipped;
      return skipped;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

describe('ByteReader', () => {
  test('gives the bytes of the source in order, whatever its chunks and the sizes wanted', async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 });
    const sizes = fc.array(fc.nat(30), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(chunks, sizes, async (chunks, sizes) => {
        const all = Buffer.concat(chunks);
        const reader = new ByteReader(chunked(chunks), 'source');
        const taken: Uint8Array[] = [];
        for (const size of sizes) {
          const ahead = await reader.peek(size);
          expect([...ahead]).toEqual([...all.subarray(reader.offset, reader.offset + size)]);
          if (ahead.length === size) taken.push(await reader.read(size));
          else await expect(reader.read(size)).rejects.toThrow(`source is cut off at byte ${all.length}`);
        }
        expect(await reader.atEnd()).toBe(reader.offset === all.length);
        for await (const chunk of reader.rest()) taken.push(chunk);
        expect([...Buffer.concat(taken)]).toEqual([...all]);
      }),
    );
  });

  test('skips as it reads, by the skipping of the source where there is one', async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 });
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(30)), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(chunks, steps, fc.boolean(), async (chunks, steps, canSkip) => {
        const all = Buffer.concat(chunks);
        const source = canSkip ? skipping(all) : chunked(chunks);
        const reader = new ByteReader(source, 'source');
        for (const [skips, size] of steps) {
          const before = reader.offset;
          const step = skips ? reader.skip(size) : reader.read(size);
          if (before + size > all.length) {
            await expect(step).rejects.toThrow(`source is cut off at byte ${all.length}`);
            return;
          }
          const taken = await step;
          if (taken) expect([...taken]).toEqual([...all.subarray(before, before + size)]);
          expect(reader.offset).toBe(before + size);
        }
      }),
    );
  });

  test('lets the source go when it is closed', async () => {
    let closed = false;
    const source = async function* () {
      try {
        yield Buffer.from('one');
        yield Buffer.from('two');
      } finally {
        closed = true;
      }
    };
    const reader = new ByteReader(source(), 'source');
    await reader.read(2);
    await reader.close();
    expect(closed).toBe(true);
  });
});
