import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../base/errors.ts';
import { run } from '../base/exec.ts';
import {
  type CompressionFormat,
  compress,
  decompress,
  decompressStream,
  detectCompression,
} from './compression.ts';

const formats = ['gzip', 'xz', 'zstd'] as const;
const plain = Buffer.concat([Buffer.alloc(300_000, 'a line of text\n'), randomBytes(100_000)]);

async function byTool(format: CompressionFormat, args: string[], input: Uint8Array): Promise<Buffer> {
  return (await run(format, [...args, '--stdout'], { input })).stdout;
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
}

async function streamed(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of decompressStream(source)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe.each(formats)('%s', (format) => {
  test('is known by its magic, and reads what the tool wrote', async () => {
    const packed = await byTool(format, [], plain);
    expect(detectCompression(packed)).toBe(format);
    expect(plain.equals(await decompress(packed))).toBe(true);
  });

  test('writes what the tool reads, and the same bytes each time', async () => {
    const packed = await compress(plain, format);
    expect(plain.equals(await byTool(format, ['-d'], packed))).toBe(true);
    expect(Buffer.from(packed).equals(await compress(plain, format))).toBe(true);
    expect(Buffer.from(packed).equals(await compress(plain, format, 1))).toBe(false);
  });

  test('holds nothing at all', async () => {
    expect(await decompress(await compress(new Uint8Array(), format))).toHaveLength(0);
  });

  test('takes several members for one content, in pieces of any size', async () => {
    const parts = ['first ', '', 'second ', 'third'];
    const packed = Buffer.concat(
      await Promise.all(parts.map((part) => byTool(format, [], Buffer.from(part)))),
    );
    expect(Buffer.from(await decompress(packed)).toString()).toBe('first second third');
    for (const size of [1, 2, 7, 64])
      expect((await streamed(inPieces(packed, size))).toString()).toBe('first second third');
  });

  test('stops a bomb at the limit', async () => {
    const bomb = await byTool(format, [], Buffer.alloc(20_000_000));
    expect(bomb.length).toBeLessThan(30_000);
    await expect(decompress(bomb, { limit: 1_000_000, name: 'bomb' })).rejects.toMatchObject({
      kind: 'hostile',
      message: expect.stringContaining('bomb'),
    });
    expect(await decompress(bomb, { limit: 20_000_000 })).toHaveLength(20_000_000);
  });

  test('says that a file is cut off, wherever it is cut', async () => {
    const packed = await byTool(format, [], Buffer.from('some text that is short'));
    for (let size = 6; size < packed.length; size++)
      await expect(decompress(packed.subarray(0, size), { name: 'part' })).rejects.toMatchObject({
        kind: 'corrupt',
        message: expect.stringContaining('part'),
      });
  });

  test('finds every changed byte, or it does not matter', async () => {
    const text = Buffer.from('some text, some text, and some more text');
    const packed = await byTool(format, [], text);
    await fc.assert(
      fc.asyncProperty(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), async (offset, flip) => {
        const bytes = Buffer.from(packed);
        bytes[offset]! ^= flip;
        fc.pre(detectCompression(bytes) === format);
        const result = await decompress(bytes).catch((error) => error);
        if (result instanceof Uint8Array) expect(text.equals(result)).toBe(true);
        else expect(result).toBeInstanceOf(Failure);
      }),
      { numRuns: 300 },
    );
  });
});

test('bytes in no known format come back as they are', async () => {
  const bytes = Buffer.from('plain');
  expect(detectCompression(bytes)).toBe('none');
  expect(Buffer.from(await decompress(bytes)).toString()).toBe('plain');
  expect(await compress(bytes, 'none')).toBe(bytes);
  await expect(decompress(bytes, { limit: 4 })).rejects.toMatchObject({ kind: 'hostile' });
});

test('gzip carries no time and no trace of the machine', async () => {
  const packed = await compress(plain, 'gzip');
  expect([...packed.subarray(4, 8), packed[9]]).toEqual([0, 0, 0, 0, 3]);
});

test('zstd carries a checksum', async () => {
  const contentChecksumFlag = 4;
  expect((await compress(plain, 'zstd'))[4]! & contentChecksumFlag).toBe(contentChecksumFlag);
});

describe('xz', () => {
  test('has the check that the kernel knows', async () => {
    const crc32 = 1;
    expect((await compress(plain, 'xz'))[7]).toBe(crc32);
  });

  test.each(['none', 'crc32', 'crc64'])('reads files with check %s', async (check) => {
    const packed = await byTool('xz', [`--check=${check}`], plain);
    expect(plain.equals(await decompress(packed))).toBe(true);
  });

  test('reads files of many blocks, with and without sizes in their headers, and padding', async () => {
    const threaded = await byTool('xz', ['--threads=2', '--block-size=30000'], plain);
    const single = await byTool('xz', ['--threads=1', '--block-size=70000'], plain);
    const all = Buffer.concat([threaded, Buffer.alloc(8), single, Buffer.alloc(4)]);
    expect(Buffer.concat([plain, plain]).equals(await decompress(all))).toBe(true);
  });

  test.each([
    ['integrity check', ['--check=sha256']],
    ['filter chain', ['--x86', '--lzma2']],
  ])('says that it cannot read an unusual %s', async (what, args) => {
    const packed = await byTool('xz', args, plain);
    await expect(decompress(packed)).rejects.toMatchObject({
      kind: 'failed',
      message: expect.stringContaining(what),
    });
  });
});

test('zstd skips frames that are not data', async () => {
  const skippable = Buffer.from('\x5e\x2a\x4d\x18\x03\x00\x00\x00abc', 'latin1');
  const frame = await compress(plain, 'zstd');
  expect(plain.equals(await decompress(Buffer.concat([skippable, frame, skippable])))).toBe(true);
});
