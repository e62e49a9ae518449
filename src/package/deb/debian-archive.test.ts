import { mkdtemp, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../base/exec.ts';
import { Depot } from '../../tree/depot.ts';
import { dumpTree } from '../../tree/dump.ts';
import type { Entry } from '../../tree/tree.ts';
import { Apt } from './apt.ts';
import { readHostArchive, sourcesFor } from './apt-sources.ts';
import { parseControlFields } from './control-fields.ts';
import { readDeb } from './deb.ts';
import { debPath, downloadPackages } from './download.ts';
import type { Lock } from './lock.ts';
import { packageTree } from './package-tree.ts';

/** Real packages: libraries and their links, rules, configuration files, setuid programs, maintainer scripts. */
const wanted = ['busybox-static', 'kmod', 'libc6', 'udev', 'passwd'];

let directory: string;
let lock: Lock;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'debian-'));
  const sources = sourcesFor(await readHostArchive(), { components: ['main'] });
  const apt = await Apt.open({ directory, sources, architecture: 'amd64' });
  const closure = await apt.resolve({ packages: wanted, exclude: [] });
  lock = closure.filter(({ name }) => wanted.includes(name));
  await downloadPackages(apt, lock, directory);
}, 120_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

describe("packages of Debian's archive", () => {
  it('have the control fields that dpkg-deb reads', async () => {
    for (const entry of lock) {
      const deb = debPath(directory, entry);
      const [expected] = parseControlFields((await run('dpkg-deb', ['-f', deb])).stdout.toString());
      const { control } = await readDeb(deb);
      expect(Object.fromEntries(control)).toEqual(Object.fromEntries(expected!));
      expect(`${control.get('package')} ${control.get('version')}`).toBe(`${entry.name} ${entry.version}`);
    }
  });

  it('have the files, modes, owners, sizes and links that dpkg-deb lists', async () => {
    for (const entry of lock) {
      const deb = debPath(directory, entry);
      const listing = (
        await run('dpkg-deb', ['-c', deb], { env: { ...process.env, LC_ALL: 'C' } })
      ).stdout.toString();
      const { tree } = await readDeb(deb);
      const found = [...tree].map(([path, node]) => describeEntry(path, node));
      expect(found.sort()).toEqual(listing.trimEnd().split('\n').map(normalize).sort());
    }
  });

  it('are unpacked once, and again when the depot was lost', async () => {
    const depot = new Depot(join(directory, 'depot'));
    for (const entry of lock) {
      const first = await dumpTree(await packageTree(entry, directory, depot));
      const bytes = await readFile(debPath(directory, entry));
      await unlink(debPath(directory, entry));
      expect(await dumpTree(await packageTree(entry, directory, depot))).toBe(first);
      await expect(packageTree(entry, directory, new Depot(join(directory, 'other')))).rejects.toMatchObject({
        kind: 'not-found',
      });
      await writeFile(debPath(directory, entry), bytes);
      expect(await dumpTree(await packageTree(entry, directory, new Depot(join(directory, 'other'))))).toBe(
        first,
      );
    }
  });

  it('are refused when the cached file was changed', async () => {
    const entry = lock.find(({ name }) => name === 'kmod')!;
    const bytes = await readFile(debPath(directory, entry));
    bytes[1000]! ^= 1;
    await writeFile(debPath(directory, entry), bytes);
    await expect(packageTree(entry, directory, new Depot(join(directory, 'third')))).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('kmod'),
    });
  });
});

const letters = {
  directory: 'd',
  file: '-',
  symlink: 'l',
  character: 'c',
  block: 'b',
  fifo: 'p',
  socket: 's',
} as const;

/** An entry as `mode owner size path[ -> target]`. */
function describeEntry(path: string, entry: Entry): string {
  const mode = `${letters[entry.kind]}${entry.mode.toString(8).padStart(4, '0')}`;
  const size = entry.kind === 'file' ? entry.content.size : 0;
  return `${mode} ${entry.uid}/${entry.gid} ${size} ${path}${entry.kind === 'symlink' ? ` -> ${entry.target}` : ''}`;
}

/** Users and groups of base-passwd that packages give files to. */
const ids: Readonly<Record<string, number>> = { root: 0, shadow: 42 };

/** The same from a line such as `-rwxr-xr-x root/root 30952 2023-01-01 12:00 ./usr/bin/kmod`. */
function normalize(line: string): string {
  const [, kind, permissions, user, group, size, path] =
    /^(.)(\S{9}) ([^/]+)\/(\S+) +(\d+) \S+ \S+ \.?\/?(.*?)\/?$/.exec(line)!;
  const target = /^(.*?)( -> .*)$/.exec(path!);
  const name = target ? target[1]! : path!;
  return `${kind}${octal(permissions!)} ${ids[user!]}/${ids[group!]} ${size} ${name}${target ? target[2] : ''}`;
}

/** `rwsr-xr-t` as `5755`. */
function octal(permissions: string): string {
  let mode = 0;
  for (const [index, letter] of [...permissions].entries()) {
    if (/[rwxst]/.test(letter)) mode |= 1 << (8 - index);
    if (/[sStT]/.test(letter)) mode |= 1 << (11 - (index - 2) / 3);
  }
  return mode.toString(8).padStart(4, '0');
}
