import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../../base/errors.ts';
import { bytesContent } from '../../tree/content.ts';
import { dumpTree } from '../../tree/dump.ts';
import { buildDeb } from './archive-fixture.ts';
import { readDeb } from './deb.ts';

let directory: string;
let bytes: Buffer;

const recipe = {
  name: 'sample',
  fields: ['Depends: libc6 (>= 2.36),\n libkmod2'],
  files: {
    'DEBIAN/postinst': '#!/bin/sh\n',
    'DEBIAN/prerm': '#!/bin/sh\n',
    'DEBIAN/conffiles': '/etc/sample.conf\nremove-on-upgrade /etc/old.conf\n',
    'etc/sample.conf': 'key=value\n',
    'usr/bin/sample': 'x'.repeat(5000),
    'usr/bin/alias': '->sample',
  },
} as const;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'deb-'));
  bytes = await readFile(await buildDeb(directory, { ...recipe, compression: 'none' }));
});
afterAll(() => rm(directory, { recursive: true }));

describe('readDeb', () => {
  it.each([
    'gzip',
    'xz',
    'zstd',
    'none',
  ] as const)('reads a package whose members are compressed with %s', async (compression) => {
    const deb = await readDeb(await buildDeb(join(directory, compression), { ...recipe, compression }));
    expect(Object.fromEntries(deb.control)).toMatchObject({
      package: 'sample',
      version: '1.0',
      architecture: 'all',
      depends: 'libc6 (>= 2.36),\nlibkmod2',
    });
    expect(deb.conffiles).toEqual(['etc/sample.conf']);
    expect(deb.scripts).toEqual(['postinst', 'prerm']);
    expect([...deb.tree.paths()]).toEqual([
      '',
      'etc',
      'etc/sample.conf',
      'usr',
      'usr/bin',
      'usr/bin/alias',
      'usr/bin/sample',
    ]);
    expect(await dumpTree(deb.tree)).toBe(await dumpTree((await readDeb(bytes)).tree));
  });

  it('hands each file over to be kept elsewhere', async () => {
    const kept: number[] = [];
    const { tree } = await readDeb(bytes, {
      keep: async (content) => {
        kept.push(content.size);
        return bytesContent('elsewhere');
      },
    });
    expect(kept).toEqual([10, 5000]);
    expect(tree.file('etc/sample.conf')?.content.size).toBe(9);
  });

  const changed = (from: string, to: string) =>
    Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1');

  it('ignores members that a later minor version may add', async () => {
    const extra = Buffer.from(`${'_extra'.padEnd(16)}${'0'.padEnd(32)}${'2'.padEnd(10)}\`\nhi`);
    const at = 8 + 60 + 4;
    const more = Buffer.concat([changed('2.0\n', '2.7\n').subarray(0, at), extra, bytes.subarray(at)]);
    expect((await readDeb(more)).tree.has('usr/bin/sample')).toBe(true);
  });

  it.each([
    ['a text', () => Buffer.from('not a package'), /odd\.deb.*ar archive/],
    ['an empty file', () => Buffer.alloc(0), /odd\.deb.*ar archive/],
    ['another ar archive', () => changed('debian-binary', 'something    '), /odd\.deb.*debian-binary/],
    ['another format', () => changed('2.0\n', '3.0\n'), /odd\.deb.*"3\.0"/],
    ['no control archive', () => changed('control.tar', 'kontrol.tar'), /odd\.deb.*control\.tar/],
    ['no data archive', () => changed('data.tar', 'date.tar'), /odd\.deb.*data\.tar/],
    [
      'a control file without a name',
      () => changed('Package: sample', 'Pancake: sample'),
      /odd\.deb.*package/,
    ],
    ['an end too early', () => bytes.subarray(0, bytes.length - 600), /odd\.deb/],
  ])('names the file that is no package: %s', async (_what, make, message) => {
    await expect(readDeb(make(), { name: 'odd.deb' })).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringMatching(message),
    });
  });

  it('names a file that is not there', async () => {
    await expect(readDeb(join(directory, 'none.deb'))).rejects.toMatchObject({
      kind: 'not-found',
      message: expect.stringContaining('none.deb'),
    });
  });

  it('reads or refuses whatever it is given', async () => {
    const compressed = await Promise.all(
      (['gzip', 'xz', 'zstd'] as const).map(async (compression) =>
        readFile(await buildDeb(join(directory, `damaged-${compression}`), { ...recipe, compression })),
      ),
    );
    const damage = fc.record({
      deb: fc.constantFrom(bytes, ...compressed),
      end: fc.double({ min: 0, max: 1, noNaN: true }),
      flips: fc.array(
        fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 255 })),
        { maxLength: 4 },
      ),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ deb, end, flips }) => {
        const damaged = Buffer.from(
          deb.subarray(0, end > 0.5 ? deb.length : Math.floor(end * 2 * deb.length)),
        );
        for (const [where, mask] of flips)
          if (damaged.length > 0) damaged[Math.floor(where * (damaged.length - 1))]! ^= mask;
        const outcome = await readDeb(damaged).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(Failure);
      }),
      { numRuns: 300 },
    );
  });
});
