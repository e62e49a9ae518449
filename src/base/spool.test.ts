import { mkdtempDisposable, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileRange, readFully } from './file-range.ts';
import { Spool } from './spool.ts';

async function* chunks(...texts: readonly string[]) {
  for (const text of texts) yield Buffer.from(text);
}

describe('a spool', () => {
  test('keeps what passes through it, and is read anywhere, also by another path', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const spool = await Spool.open(scratch.path);
    const passed: Uint8Array[] = [];
    for await (const chunk of spool.tee(chunks('one ', 'two ', 'three'))) passed.push(chunk);
    expect(Buffer.concat(passed).toString()).toBe('one two three');
    expect(spool.size).toBe(13);
    const two = Buffer.alloc(3);
    await readFully(spool, two, 4);
    expect(two.toString()).toBe('two');
    expect(await readFile(spool.path, 'utf8')).toBe('one two three');
    await spool.close();
    await expect(readFile(spool.path)).rejects.toThrow();
  });

  test('has no name in its directory', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const spool = await Spool.open(scratch.path);
    expect(await readdir(scratch.path)).toEqual([]);
    await spool.close();
  });

  test('says where it cannot be', async () => {
    await expect(Spool.open('/proc/none')).rejects.toMatchObject({
      kind: 'failed',
      message: 'cannot make a temporary file in /proc/none',
      hint: expect.stringContaining('TMPDIR'),
    });
  });

  test('says that it cannot grow', async () => {
    const spool = await Spool.open();
    await spool.close(); // as good as a full disk
    await expect(spool.append(Buffer.from('x'))).rejects.toMatchObject({
      kind: 'failed',
      hint: expect.stringContaining('make room'),
    });
  });
});

describe('a range of a file', () => {
  const contents = Buffer.from(Array.from({ length: 100 }, (_, i) => i));

  test('gives its bytes in chunks, without those that are skipped', async () => {
    const spool = await Spool.open();
    await spool.append(contents);
    const all: number[] = [];
    for await (const chunk of new FileRange(spool, 10, 40, { chunkSize: 7 })) all.push(...chunk);
    expect(all).toEqual([...contents.subarray(10, 40)]);
    const range = new FileRange(spool, 10, 40, { chunkSize: 7 });
    expect([...(await range.next()).value!]).toEqual([...contents.subarray(10, 17)]);
    expect(await range.skip(20)).toBe(20);
    expect(await range.skip(20)).toBe(3);
    expect((await range.next()).done).toBe(true);
    await spool.close();
  });

  test('says when the file is shorter', async () => {
    const spool = await Spool.open();
    await spool.append(contents);
    const range = new FileRange(spool, 90, 110);
    await expect(range.next()).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('100'),
    });
    await spool.close();
  });
});
