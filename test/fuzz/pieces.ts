import type { Random } from './random.ts';

/** The bytes in pieces of random sizes, as they may come from a network. */
export async function* inPieces(bytes: Buffer, random: Random): AsyncGenerator<Buffer> {
  yield* piecesOf(bytes, random);
}

export function* piecesOf(bytes: Buffer, random: Random): Generator<Buffer> {
  const largest = random.pick([1, 7, 512, 65536]);
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(largest);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
