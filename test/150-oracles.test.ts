import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../src/base/exec.ts';
import { oracle, rfs } from './shared/commands.ts';
import { ended, mountOn } from './shared/mounts.ts';
import { type BuiltProject, builtProject, scratch, temporary } from './shared/projects.ts';

let project: BuiltProject;
let initramfs: string;
let release: string;
/** The image as cpio(1) unpacks it. */
let root: string;

beforeAll(async () => {
  project = await builtProject();
  initramfs = join(project.dist, 'initramfs.cpio.zst');
  release = JSON.parse(await readFile(join(project.dist, 'build.json'), 'utf8')).kernelRelease;
  root = await scratch('root');
  await oracle('sh', ['-c', 'zstd -dc "$1" | (cd "$2" && cpio --quiet -idm)', 'sh', initramfs, root]);
});

describe('the initramfs', () => {
  test('is whole for zstd(1)', async () => {
    await oracle('zstd', ['--test', '--quiet', initramfs]);
  });

  test('is listed by cpio(1), its devices and links among the rest', async () => {
    const list = await oracle('sh', ['-c', 'zstd -dc "$1" | cpio --quiet -tv', 'sh', initramfs]);
    expect(list).toMatch(/^-rwxr-xr-x +1 root +root +\d+ .* init$/m);
    expect(list).toMatch(/^crw------- +1 root +root +5, +1 .* dev\/console$/m);
    expect(list).toMatch(/^lrwxrwxrwx .* bin -> usr\/bin$/m);
  });

  test('unpacked holds programs that run', async () => {
    const inside = (...command: string[]) => oracle('chroot', [root, ...command]);
    expect(await inside('/usr/bin/node', '--version')).toMatch(/^v24\./);
    expect(await inside('/bin/sh', '-n', '/init')).toBe('');
    expect(await inside('/sbin/modprobe', '--version')).toMatch(/^kmod version/);
    expect(await inside('/usr/lib/systemd/systemd-udevd', '--version')).toMatch(/^\d+/);
  });

  test('is closed: the loader finds every library of its programs', async () => {
    for (const program of ['/usr/bin/node', '/usr/bin/kmod', '/usr/bin/udevadm']) {
      const libraries = await oracle('chroot', [root, '/lib64/ld-linux-x86-64.so.2', '--list', program]);
      expect(libraries).toMatch(/libc\.so\.6 => /);
      expect(libraries).not.toContain('not found');
    }
  });
});

describe('the modules of the image', () => {
  test('are indexed without a complaint of depmod(8)', async () => {
    const indexes = await oracle('depmod', ['-n', '-b', root, release]);
    expect(indexes).toMatch(/^kernel\/.*\/virtio_net\.ko/m);
  });

  test('are found by modprobe(8), with what they need', async () => {
    const resolve = (name: string) => oracle('modprobe', ['--show-depends', '-S', release, '-d', root, name]);
    expect(await resolve('nvme')).toMatch(/insmod \S*\/nvme-core\.ko[\s\S]*insmod \S*\/nvme\.ko/);
    expect(await resolve('pci:v00008086d0000100Esv0sd0bc02sc00i00')).toMatch(/insmod \S*\/e1000\.ko/);
    await oracle('modprobe', ['-n', '-S', release, '-d', root, 'nvme']);
  });

  test('are no more than the closure of modules.conf: modprobe(8) does not find e1000e', async () => {
    const args = ['--show-depends', '-S', release, '-d', root, 'e1000e'];
    const { code, stderr } = await run('modprobe', args, { accept: [0, 1] });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('not found') });
  });
});

describe('the modules flist', () => {
  test('is read by modinfo(8), modprobe(8) and depmod(8) through its mount', async () => {
    const tree = await temporary('modules');
    const mountpoint = join(tree, 'lib/modules', release);
    await mkdir(mountpoint, { recursive: true });
    const store = `dir://${project.dist}/blocks`;
    const args = ['-m', flist('modules'), '-s', store, '-c', join(tree, 'cache'), '--daemon', mountpoint];
    expect(await rfs(['mount', ...args])).toMatchObject({ code: 0, stderr: '' });
    const { pid } = (await mountOn(mountpoint))!;
    onTestFinished(async () => void (await run('umount', [mountpoint], { accept: [0, 1, 32] })));

    const module = (await oracle('modprobe', ['--show-depends', '-S', release, '-d', tree, 'e1000e']))
      .trimEnd()
      .split('\n')
      .at(-1)!
      .replace(/^insmod (\S+).*$/, '$1');
    expect(await oracle('modinfo', ['-F', 'vermagic', module])).toMatch(new RegExp(`^${release} `));
    expect(await oracle('modinfo', ['-k', release, '-b', tree, '-F', 'alias', 'e100'])).toContain(
      'pci:v00008086d00001209',
    );
    expect((await readdir(mountpoint)).filter((name) => name.startsWith('modules.')).length).toBeGreaterThan(
      9,
    );

    await run('umount', [mountpoint]);
    await ended(pid);
  });
});

describe('both manifests', () => {
  test.each(['modules', 'firmware'])('%s: a sound database of the schema of rfs', async (kind) => {
    const query = (sql: string) => oracle('sqlite3', ['-readonly', flist(kind), sql]);
    expect(await query('PRAGMA integrity_check')).toBe('ok\n');
    expect(await query('PRAGMA journal_mode')).toBe('delete\n');
    expect(await query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")).toBe(
      'block\nextra\ninode\nroute\nsqlite_sequence\ntag\n',
    );
    const columns = (table: string) =>
      query(`SELECT group_concat(name || ' ' || type, ', ') FROM pragma_table_info('${table}')`);
    expect(await columns('inode')).toBe(
      'ino INTEGER, parent INTEGER, name VARCHAR(255), size INTEGER, uid INTEGER, gid INTEGER, mode INTEGER, ' +
        'rdev INTEGER, ctime INTEGER, mtime INTEGER\n',
    );
    expect(await columns('block')).toBe('ino INTEGER, id VARCHAR(32), key VARCHAR(32)\n');
    expect(await columns('extra')).toBe('ino INTEGER, data VARCHAR(4096)\n');
    expect(await columns('tag')).toBe('key VARCHAR(10), value VARCHAR(255)\n');
    expect(await columns('route')).toBe('start INTEGER, end INTEGER, url VARCHAR(2048)\n');
    expect(await query('SELECT ino, parent, name FROM inode WHERE parent = 0')).toBe('1|0|/\n');
    expect(await query('SELECT DISTINCT typeof(id), length(id), typeof(key), length(key) FROM block')).toBe(
      'blob|32|blob|32\n',
    );
  });

  test.each(['modules', 'firmware'])('%s: every block that it names is in the store', async (kind) => {
    const ids = await oracle('sqlite3', [
      '-readonly',
      flist(kind),
      'SELECT DISTINCT lower(hex(id)) FROM block',
    ]);
    const missing = ids
      .trimEnd()
      .split('\n')
      .filter((id) => !existsSync(join(project.dist, 'blocks', id.slice(0, 2), id)));
    expect(missing).toEqual([]);
  });
});

describe('the bill of materials', () => {
  test('is SPDX 2.3, and knows each package by the digest of what was downloaded', async () => {
    const sbom = JSON.parse(await readFile(join(project.dist, 'sbom.spdx.json'), 'utf8'));
    expect(sbom).toMatchObject({
      spdxVersion: 'SPDX-2.3',
      SPDXID: 'SPDXRef-DOCUMENT',
      dataLicense: 'CC0-1.0',
    });
    const deb = sbom.packages.find(({ name }: { name: string }) => name === 'kmod');
    const [{ checksumValue }] = deb.checksums;
    const file = join(project.state, 'cache/deb', `${checksumValue}.deb`);
    expect(await oracle('sha256sum', [file])).toContain(checksumValue);
    expect(await oracle('dpkg-deb', ['-f', file, 'Package', 'Version'])).toBe(
      `Package: kmod\nVersion: ${deb.versionInfo}\n`,
    );
    const ids: string[] = sbom.packages.map(({ SPDXID }: { SPDXID: string }) => SPDXID);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

const flist = (kind: string): string =>
  project.quickstart.published.find(({ name }: { name: string }) => name.startsWith(`${kind}-`)).path;
