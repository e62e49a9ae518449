import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesSource } from '../kernel/byte-source.ts';
import { ElfFile } from '../kernel/elf.ts';
import { programNeeds } from './program-needs.ts';
import { stripSymbols } from './strip.ts';

let directory: string;
let original: Buffer;
let stripped: Uint8Array;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'strip-'));
  original = await readFile(process.execPath);
  stripped = stripSymbols(original, 'node');
  await writeFile(join(directory, 'node'), stripped, { mode: 0o755 });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('a stripped program', () => {
  test('still runs, and loads native code and WebAssembly', () => {
    const script =
      "WebAssembly.validate(new Uint8Array([0,97,115,109,1,0,0,0])) && process.stdout.write('runs')";
    expect(execFileSync(join(directory, 'node'), ['-e', script]).toString()).toBe('runs');
  });

  test('is smaller by its symbols and debugging sections, which are gone', async () => {
    expect((await stat(join(directory, 'node'))).size).toBeLessThan(original.length * 0.9);
    const names = new ElfFile(bytesSource(stripped, 'node')).sections.map(({ name }) => name);
    expect(names).toContain('.text');
    expect(names.filter((name) => /^\.(symtab|strtab|debug)/.test(name))).toEqual([]);
  });

  test('asks for the same loader and libraries as before', () => {
    expect(programNeeds(bytesSource(stripped, 'node'))).toEqual(programNeeds(bytesSource(original, 'node')));
  });

  test('has the same loaded bytes in the same places', () => {
    const [before, after] = [original, stripped].map((bytes) => new ElfFile(bytesSource(bytes, 'node')));
    for (const name of ['.text', '.rodata', '.data', '.dynamic']) {
      const [a, b] = [before!.section(name)!, after!.section(name)!];
      expect([b.offset, b.size]).toEqual([a.offset, a.size]);
      expect(before!.bytes(a).equals(after!.bytes(b))).toBe(true);
    }
  });

  test('stripped again is the same', () => {
    expect(Buffer.from(stripSymbols(stripped, 'node')).equals(stripped)).toBe(true);
  });
});

describe('what is no program', () => {
  test.each([
    ['text', Buffer.from('#!/bin/sh\n')],
    ['the start of a program', () => original.subarray(0, 4096)],
  ])('is refused: %s', (_, bytes) => {
    const data = typeof bytes === 'function' ? bytes() : bytes;
    expect(() => stripSymbols(data, 'thing')).toThrowError(expect.objectContaining({ kind: 'corrupt' }));
  });
});
