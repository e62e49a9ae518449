import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { compress } from '../archive/compression.ts';
import { run } from '../base/exec.ts';
import { bytesContent } from '../tree/content.ts';
import { writeTreeToDirectory } from '../tree/to-directory.ts';
import { type Entry, Tree } from '../tree/tree.ts';
import { cloudKernel } from './cloud-kernel.fixture.ts';
import { depmod } from './depmod.ts';
import { buildElf } from './elf.fixture.ts';
import { isModulePath } from './module-name.ts';

const release = '6.1.0-test';
let modules: Tree;

beforeAll(async () => {
  ({ modules } = await cloudKernel());
}, 300_000);

/** Runs kmod's depmod over the same modules directory and compares every file that it writes. */
async function expectSameAsKmod(tree: Tree): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'depmod-'));
  try {
    const directory = join(root, 'lib/modules', release);
    await writeTreeToDirectory(linked(tree).under(`lib/modules/${release}`), root);
    await run('depmod', ['-b', root, release], {
      package: 'kmod',
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    });
    const ours = await depmod(tree);
    const names = [...ours.paths()].filter((path) => path !== '');
    expect(names).toHaveLength(10);
    for (const name of names) {
      const own = Buffer.from(await ours.file(name)!.content.read());
      expect(own.equals(await readFile(join(directory, name))), `${name} is the same`).toBe(true);
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** The tree with links in the place of files that lie on disk, so that a whole kernel need not be copied. */
function linked(tree: Tree): Tree {
  return tree.map((_path, entry) => {
    if (entry.kind !== 'file' || entry.content.file === undefined) return entry;
    const { mode, uid, gid, mtime, content } = entry;
    return { kind: 'symlink', mode, uid, gid, mtime, target: content.file! };
  });
}

/** About a tenth of the modules, so that many dependencies are missing, with the lists that the kernel build wrote. */
function someModules(): Tree {
  let count = 0;
  return modules.select((path) => !isModulePath(path) || count++ % 10 === 0);
}

describe('depmod', () => {
  test('writes for a whole Debian kernel what kmod writes, byte for byte', async () => {
    await expectSameAsKmod(modules);
  });

  test('writes the same for a part of it', async () => {
    await expectSameAsKmod(someModules());
  });

  test('writes the same without the lists of the kernel build', async () => {
    await expectSameAsKmod(someModules().select(isModulePath));
  });

  test('writes the same for compressed modules', async () => {
    const packed: [string, Entry][] = [];
    for (const [path, entry] of someModules()) {
      if (entry.kind !== 'file' || !isModulePath(path)) packed.push([path, entry]);
      else {
        const format = path.length % 2 === 0 ? 'xz' : 'zstd';
        const content = bytesContent(await compress(await entry.content.read(), format, 1));
        packed.push([`${path}.${format === 'xz' ? 'xz' : 'zst'}`, { ...entry, content }]);
      }
    }
    await expectSameAsKmod(Tree.from(packed));
  });

  test('lets a module below updates/ replace the one of the kernel, and passes over the sources', async () => {
    const path = [...modules.paths()].find((candidate) => candidate.endsWith('/virtio_net.ko'))!;
    const entry = modules.get(path)!;
    const tree = Tree.from([
      ...someModules(),
      [path, entry],
      ['updates/virtio_net.ko', entry],
      ['build/x.ko', entry],
    ]);
    await expectSameAsKmod(tree);
  });

  test('of no modules at all writes empty indexes', async () => {
    await expectSameAsKmod(Tree.empty);
  });

  test('lists weak dependencies where there are some', async () => {
    const tree = Tree.from([module('lan78xx', { modinfo: ['weakdep=smsc', 'weakdep=microchip lan87xx'] })]);
    const files = await depmod(tree);
    expect(Buffer.from(await files.file('modules.weakdep')!.content.read()).toString()).toBe(
      '# Weak dependencies extracted from modules themselves.\n' +
        'weakdep lan78xx smsc\nweakdep lan78xx microchip lan87xx\n',
    );
  });

  test('names modules that need each other in a circle', async () => {
    const tree = Tree.from([
      module('first', { exports: ['one'], imports: ['two'] }),
      module('second', { exports: ['two'], imports: ['three'] }),
      module('third', { exports: ['three'], imports: ['one'] }),
      module('user', { imports: ['one'] }),
    ]);
    await expect(depmod(tree)).rejects.toThrow(/in a circle: (first|second|third) -> .* -> .* -> \1$/);
  });

  test('names the file that is no module', async () => {
    const tree = Tree.from([module('good', {}), ['kernel/bad.ko', fileEntry(Buffer.from('bad'))]]);
    await expect(depmod(tree)).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('kernel/bad.ko'),
    });
  });
});

interface ModulePlan {
  modinfo?: string[];
  exports?: string[];
  imports?: string[];
}

function module(name: string, { modinfo = [], exports = [], imports = [] }: ModulePlan): [string, Entry] {
  const text = (strings: readonly string[]) => Buffer.from(strings.map((string) => `${string}\0`).join(''));
  const bytes = buildElf({
    bits: 64,
    bigEndian: false,
    sections: [
      { name: '.modinfo', bytes: text([`name=${name}`, ...modinfo]) },
      { name: '__ksymtab_strings', bytes: text(exports) },
    ],
    symbols: imports.map((symbol) => ({ name: symbol, section: 0 })),
  });
  return [`kernel/${name}.ko`, fileEntry(bytes)];
}

function fileEntry(bytes: Uint8Array): Entry {
  return { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, content: bytesContent(bytes) };
}
