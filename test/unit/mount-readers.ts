/**
 * Reads random ranges of files, many at one time, and compares them with a copy: run by tests as a process of its own,
 * `node mount-readers.ts SEED READERS COUNT MOUNT COPY`. What the kernel remembers is dropped each time. Fails with the first range that differs.
 */
import { constants } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { loadLibc } from '../../src/base/libc.ts';

const [seed, readers, count] = process.argv.slice(2, 5).map(Number) as [number, number, number];
const [mount, copy] = process.argv.slice(5) as [string, string];
const libc = await loadLibc();
const files = await Promise.all(
  (await readdir(copy)).map(async (name) => ({ name, content: await readFile(join(copy, name)) })),
);
const range = fc.record({
  file: fc.constantFrom(...files),
  start: fc.double({ min: 0, max: 0.999, noNaN: true }),
  size: fc.constantFrom(100, 4096, 70_000, 700_000),
});

type Range = typeof range extends fc.Arbitrary<infer R> ? R : never;

async function read(ranges: readonly Range[]): Promise<void> {
  for (const { file, start, size } of ranges) {
    const handle = await open(join(mount, file.name), constants.O_RDONLY);
    try {
      const offset = Math.floor(start * file.content.length);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, offset);
      if (!buffer.subarray(0, bytesRead).equals(file.content.subarray(offset, offset + size)))
        throw new Error(`${size} bytes of ${file.name} from ${offset} on are wrong`);
      libc?.dropCached(handle.fd);
    } finally {
      await handle.close();
    }
  }
}

await Promise.all(
  Array.from({ length: readers }, (_, i) => read(fc.sample(range, { numRuns: count, seed: seed + i }))),
);
