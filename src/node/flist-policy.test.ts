import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Inode, modeOf } from '../flist/manifest/inode.ts';
import { type Manifest, manifestOf } from '../flist/manifest/manifest.ts';
import { filesBelow, refusalOfFirmware, refusalOfModules } from './flist-policy.ts';

/** A manifest of empty files at these paths, and of the directories above them. */
function manifestWith(paths: readonly string[], tags: Record<string, string> = {}): Manifest {
  const inos = new Map([['', 1]]);
  const inode = (ino: number, parent: number, name: string, kind: 'directory' | 'file'): Inode => {
    return {
      ino,
      parent,
      name,
      size: 0,
      uid: 0,
      gid: 0,
      mode: modeOf(kind, 0o755),
      rdev: 0,
      ctime: 0,
      mtime: 0,
    };
  };
  const inodes = [inode(1, 0, '/', 'directory')];
  for (const path of paths) {
    const parts = path.split('/');
    for (const [index, name] of parts.entries()) {
      const here = parts.slice(0, index + 1).join('/');
      if (inos.has(here)) continue;
      const parent = inos.get(parts.slice(0, index).join('/'))!;
      inos.set(here, inos.size + 1);
      inodes.push(inode(inos.get(here)!, parent, name, index === parts.length - 1 ? 'file' : 'directory'));
    }
  }
  return manifestOf({ inodes, tags: new Map(Object.entries(tags)) });
}

it('modules of this kernel with their index may be mounted, with the tag or, as rfs packs them, without', () => {
  const paths = ['modules.dep', 'kernel/fs/fuse/fuse.ko'];
  expect(refusalOfModules(manifestWith(paths, { 'kernel-release': '6.1' }), '6.1')).toBeUndefined();
  expect(refusalOfModules(manifestWith(paths), '6.1')).toBeUndefined();
});

it('modules of another kernel, or without an index at the top, are refused', () => {
  expect(refusalOfModules(manifestWith(['modules.dep'], { 'kernel-release': '6.2' }), '6.1')).toBe(
    'it was packed for kernel 6.2, and this node runs 6.1',
  );
  expect(refusalOfModules(manifestWith(['6.1/modules.dep']), '6.1')).toMatch(/no modules\.dep at its top/);
});

it('firmware may hide files of the image only when it has them', () => {
  const manifest = manifestWith(['e100/d102e_ucode.bin', 'rtl_nic/rtl8168h-2.fw']);
  expect(refusalOfFirmware(manifest, ['e100/d102e_ucode.bin'])).toBeUndefined();
  expect(refusalOfFirmware(manifest, [])).toBeUndefined();
  expect(refusalOfFirmware(manifest, ['a', 'b', 'c', 'd', 'e100/d102e_ucode.bin'])).toBe(
    'it lacks 4 of the 5 files that the image has in /lib/firmware: a, b, c, …',
  );
});

it('the files below a directory are all but directories, sorted; none when it is missing', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'firmware-'));
  try {
    await mkdir(join(directory, 'b/c'), { recursive: true });
    await writeFile(join(directory, 'b/c/file'), '');
    await writeFile(join(directory, 'a'), '');
    await symlink('nowhere', join(directory, 'b/link'));
    expect(await filesBelow(directory)).toEqual(['a', 'b/c/file', 'b/link']);
    expect(await filesBelow(join(directory, 'none'))).toEqual([]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
