import { createCipheriv } from 'node:crypto';
import * as fc from 'fast-check';
import { compressSync } from 'snappy';
import { expect, test } from 'vitest';
import { loadBlake2b } from '../../base/blake2b.ts';
import { blockSize, decodeBlock, encodeBlock, initBlockCodec } from './block-codec.ts';
import { BlockEncoder } from './block-encoder.ts';
import { SnappyEncoder } from './snappy-encoder.ts';

/** From nothing but repetitions to nothing but noise, and mixtures, of any size that a block can have. */
const plainBytes = fc
  .tuple(
    fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: blockSize })),
    fc.integer({ min: 1, max: 0x7fffffff }),
    fc.integer({ min: 0, max: 8 }),
    fc.integer({ min: 1, max: 5000 }),
  )
  .map(([size, seed, noise, period]) => {
    let state = seed;
    return Buffer.alloc(size).map((_, i) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 16) % 8 < noise ? (state >>> 20) & 255 : i % period;
    });
  });

function encode(encoder: BlockEncoder, plain: Uint8Array) {
  const room = encoder.plain(plain.length);
  room.set(plain);
  const key = encoder.key(room).toString('hex');
  const { id, blob } = encoder.encode();
  return { ref: { id: id.toString('hex'), key }, blob };
}

test('the snappy stream is that of the Rust encoder, byte for byte', () => {
  const encoder = new SnappyEncoder();
  fc.assert(
    fc.property(plainBytes, (plain) => {
      encoder.input(plain.length).set(plain);
      expect(Buffer.compare(encoder.encode(), compressSync(plain))).toBe(0);
    }),
    { numRuns: 200 },
  );
});

test('a block is snappy and AES-GCM under the digest of its plain bytes, and comes back from it', async () => {
  const [encoder, blake2b] = [await BlockEncoder.create(), await loadBlake2b()];
  await initBlockCodec();
  fc.assert(
    fc.property(plainBytes, (plain) => {
      const { ref, blob } = encode(encoder, plain);
      const key = Buffer.from(blake2b(plain), 'hex');
      const cipher = createCipheriv('aes-256-gcm', key, key.subarray(0, 12));
      const expected = Buffer.concat([
        cipher.update(compressSync(plain)),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
      expect(Buffer.compare(blob, expected)).toBe(0);
      expect(ref).toEqual({ id: blake2b(expected), key: key.toString('hex') });
      expect(Buffer.compare(decodeBlock(blob, ref, plain.length), plain)).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test('a block that is given up after its key leaves nothing behind for the next one', async () => {
  const encoder = await BlockEncoder.create();
  for (const size of [blockSize, blockSize, 7]) {
    encoder.plain(size).fill(1);
    encoder.key(encoder.plain(size));
  }
  const plain = Buffer.from('hello');
  expect(encode(encoder, plain).ref).toEqual((await encodeBlock(plain)).ref);
});
