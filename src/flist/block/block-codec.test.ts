import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import * as fc from 'fast-check';
import { compressSync } from 'snappy';
import { beforeAll, describe, expect, test } from 'vitest';
import { nativeBlake2b, wasmBlake2b } from '../../base/blake2b.ts';
import { testDirectory } from '../../store/test-directory.ts';
import { blockKey, blockSize, decodeBlock, encodeBlock, initBlockCodec } from './block-codec.ts';

beforeAll(initBlockCodec);

function lcgNoise(): Buffer {
  const noise = Buffer.alloc(blockSize);
  let state = 12345;
  for (let i = 0; i < noise.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    noise[i] = (state >>> 16) & 255;
  }
  return noise;
}

/** The vectors of the flist format, section 2.2: name, plain bytes, key, size of the blob, id. */
const vectors: [name: string, plain: Buffer, key: string, blobSize: number, id: string][] = [
  [
    'hello',
    Buffer.from('hello'),
    '324dcf027dd4a30a932c441f365a25e86b173defa4b8e58948253471b81b72cf',
    23,
    '43569db4b44e807640de79fb7175eae3e6379082c562999f431830d4ed818577',
  ],
  [
    'one A',
    Buffer.from('A'),
    'a3a0081351bb785d0758ddf68076a95ffd3f10b88bbc9911e9fea4d793c06414',
    19,
    '5c7af4af9b179071ae1fff475db6ccc25d5d4be27d16d4b81cd6ef3ed168f7ce',
  ],
  [
    'abcdefghij ten times',
    Buffer.from('abcdefghij'.repeat(10)),
    '84bc58880abe794114f9ec332f0f5bc24eb4d1cb37f09ff8ac9afd74986fe06f',
    34,
    '9b314793adb839212bba8d356ff6ab16bca96c5b6bdb5d055fcd574d5d2b5572',
  ],
  [
    'a block of zeros',
    Buffer.alloc(blockSize),
    '0a93174557b2e0668f2531531415142280358ee32605d059dab1ce8ebbb1cc01',
    24611,
    'e8fd6b2d9a2e8851d12163c43f3024c31fcac6b486bceacf042d323f8e6f6640',
  ],
  [
    '1 MiB of zeros in one blob',
    Buffer.alloc(2 * blockSize),
    'c74860dd7480e7f4b5ae705f9137e90a0aa0bc67d6e90cf8078dd6697dbdb6ad',
    49203,
    'c1ee238266bb98be27b6bdf75a1fee67f139d5d1d09db34b56b1961821425904',
  ],
  [
    'bytes that count up',
    Buffer.alloc(blockSize).map((_, i) => i & 255) as Buffer,
    '05f280f20fc126e1ce4c7609f80eac3adf63985495103cc233711c2cb28244c5',
    26619,
    '8492677a796c98ed08ff9a033a4f2ca3318669aaeda3179aeee1ac8d275ea40d',
  ],
  [
    'noise',
    lcgNoise(),
    '2fcac5b83e47f20df954ab35deeb1a5c1844c503f8113de1b20d7e75fb91834a',
    524331,
    '40aa57d8529dceb788cea43246ce276aded89241852b5f4c1c44742e89240ae6',
  ],
];

describe('the vectors of the format', () => {
  test.each(vectors)('%s has the key, the size and the id that rfs gives it', async (...vector) => {
    const [, plain, key, blobSize, id] = vector;
    const { ref, blob } = await encodeBlock(plain);
    expect({ ...ref, blobSize: blob.length }).toEqual({ key, id, blobSize });
    expect(blockKey(plain)).toBe(key);
    expect(Buffer.compare(decodeBlock(blob, ref, plain.length), plain)).toBe(0);
  });

  test('hello has the very bytes of the specification', async () => {
    const { blob } = await encodeBlock(Buffer.from('hello'));
    expect(Buffer.from(blob).toString('hex')).toBe('eb5520dbdc937864eee10f334d9fe7947560aae07b9470');
  });

  test('zeros compress to the stream of the Rust encoder', () => {
    expect(
      createHash('sha256')
        .update(compressSync(Buffer.alloc(blockSize)))
        .digest('hex'),
    ).toBe('3bc27062ed49c42a22ee9bdb09b64d0f80a90f269e53820429c875e848f71938');
  });
});

test('any bytes come back as they were', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 5000, size: 'max' }), async (plain) => {
      const { ref, blob } = await encodeBlock(plain);
      expect(Buffer.compare(decodeBlock(blob, ref), plain)).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test('the native and the WebAssembly hash agree', async () => {
  const [native, wasm] = [await nativeBlake2b(), await wasmBlake2b()];
  expect(native).toBeDefined();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1000 }), (data) => native!(data) === wasm(data)));
});

describe('damage', () => {
  const plain = Buffer.from('the plain bytes of a block '.repeat(100));
  const corrupt = expect.objectContaining({ kind: 'corrupt', hint: expect.anything() });

  test('of any bit of the stored bytes is found', async () => {
    const { ref, blob } = await encodeBlock(plain);
    fc.assert(
      fc.property(fc.nat(blob.length * 8 - 1), (bit) => {
        const damaged = Uint8Array.from(blob);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        expect(() => decodeBlock(damaged, ref)).toThrow(corrupt);
      }),
    );
    expect(() => decodeBlock(blob.subarray(1), ref)).toThrow(corrupt);
    expect(() => decodeBlock(new Uint8Array(), ref)).toThrow(corrupt);
  });

  test('that has a right id is found by the cipher', async () => {
    const { ref, blob } = await encodeBlock(plain);
    const damaged = Uint8Array.from(blob);
    damaged[0]! ^= 1;
    for (const bytes of [damaged, blob.subarray(0, 20), new Uint8Array(3)])
      expect(() => decodeBlock(bytes, { id: blockKey(bytes), key: ref.key })).toThrow(corrupt);
  });

  test('by another block under a valid key is found by the hash of the plain bytes', async () => {
    const { ref, blob } = await encodeBlock(plain, blockKey(Buffer.from('something else')));
    expect(() => decodeBlock(blob, ref)).toThrow(corrupt);
  });

  test('in the form of a wrong size, or of more bytes than a block has, is found', async () => {
    const { ref, blob } = await encodeBlock(plain);
    expect(() => decodeBlock(blob, ref, plain.length - 1)).toThrow(corrupt);
    expect(() => decodeBlock(blob, ref, plain.length + 1)).toThrow(corrupt);
    const large = await encodeBlock(Buffer.alloc(blockSize + 1));
    expect(() => decodeBlock(large.blob, large.ref)).toThrow(corrupt);
  });
});

test('a bundle decodes blocks where no native addon is installed', async () => {
  const directory = await testDirectory();
  const { ref, blob } = await encodeBlock(Buffer.from('hello from the bundle'));
  const bundle = join(directory, 'bundle.mjs');
  await build({
    stdin: {
      contents: `
        import { decodeBlock, initBlockCodec } from './block-codec.ts';
        await initBlockCodec();
        const blob = Buffer.from('${Buffer.from(blob).toString('hex')}', 'hex');
        process.stdout.write(decodeBlock(blob, ${JSON.stringify(ref)}));`,
      resolveDir: import.meta.dirname,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['snappy', 'sodium-native'],
    outfile: bundle,
  });
  await writeFile(join(directory, 'package.json'), '{}');
  const { stdout } = await promisify(execFile)(process.execPath, [bundle], { cwd: directory });
  expect(stdout).toBe('hello from the bundle');
});
