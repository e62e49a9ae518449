import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../base/errors.ts';
import { run } from '../base/exec.ts';
import { readAr } from './ar.ts';

/** An archive by dpkg-deb, and its members as `ar` sees them. */
async function debPackage(directory: string): Promise<Uint8Array> {
  const root = join(directory, 'root');
  await run('mkdir', ['-p', join(root, 'DEBIAN')]);
  const control =
    'Package: sample\nVersion: 1\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: none\n';
  await writeFile(join(root, 'DEBIAN', 'control'), control);
  await writeFile(join(root, 'odd'), 'x'.repeat(1001));
  await run('dpkg-deb', ['--root-owner-group', '--build', root, join(directory, 'sample.deb')]);
  return readFile(join(directory, 'sample.deb'));
}

describe('readAr', () => {
  test('reads a Debian package as dpkg-deb and ar do', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const members = readAr(await debPackage(scratch.path));
    expect(members.map(({ name }) => name)).toEqual(['debian-binary', 'control.tar.xz', 'data.tar.xz']);
    for (const { name, data } of members) {
      const { stdout } = await run('ar', ['p', join(scratch.path, 'sample.deb'), name], {
        package: 'binutils',
      });
      expect(Buffer.compare(data, stdout)).toBe(0);
    }
  });

  test('fails clearly on damage, wherever it is', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const whole = await debPackage(scratch.path);
    fc.assert(
      fc.property(fc.nat(300), fc.integer({ min: 0, max: 255 }), (offset, byte) => {
        const bytes = Buffer.from(whole);
        bytes[offset] = byte;
        try {
          readAr(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
    );
    expect(() => readAr(whole.subarray(0, whole.length - 10))).toThrow(
      'ends inside its member "data.tar.xz"',
    );
    expect(() => readAr(Buffer.from('PK\x03\x04'))).toThrow('not an ar archive');
  });
});
