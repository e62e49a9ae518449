import { Failure } from '../base/errors.ts';
import type { Tree } from '../tree/tree.ts';
import { type ByteSource, withByteSource } from './byte-source.ts';
import { readModinfo } from './module-file.ts';
import { isModulePath } from './module-name.ts';

/** A kernel in a tree: what belongs together under one release. Paths are paths of the tree. */
export interface KernelFiles {
  /** The full release, as `uname -r` gives it on the booted node. */
  readonly release: string;
  readonly modulesDirectory: string;
  readonly vmlinuz: string;
  readonly config: string | undefined;
  readonly systemMap: string | undefined;
}

const modulesParents = ['usr/lib/modules', 'lib/modules'];

/**
 * Finds the kernel of a kernel package: the one directory below `lib/modules`, the `boot/vmlinuz*` that says the same
 * release about itself, and a module that says so too. The machine that builds has no say.
 * @throws Failure `not-found` for none, `conflict` for several kernels or parts that do not belong together.
 */
export async function findKernel(tree: Tree): Promise<KernelFiles> {
  const modulesDirectory = findModulesDirectory(tree);
  const release = modulesDirectory.slice(modulesDirectory.lastIndexOf('/') + 1);
  await checkVermagic(tree, modulesDirectory, release);
  const beside = (name: string) =>
    tree.file(`boot/${name}-${release}`) ? `boot/${name}-${release}` : undefined;
  return {
    release,
    modulesDirectory,
    vmlinuz: await findVmlinuz(tree, release),
    config: beside('config'),
    systemMap: beside('System.map'),
  };
}

/**
 * The release that an x86 kernel image says about itself: the first word of its version string, which the boot header
 * points to (Linux x86 boot protocol, fields `header` at 0x202 and `kernel_version` at 0x20e).
 * @throws Failure `corrupt` when it is not a bzImage.
 */
export function bzImageRelease(source: ByteSource): string {
  const noImage = (why: string) =>
    new Failure('corrupt', `${source.name} is not an x86 kernel image: ${why}`);
  if (source.size < 0x210 || source.read(0x202, 4).toString('latin1') !== 'HdrS')
    throw noImage('no boot header');
  const start = source.read(0x20e, 2).readUInt16LE() + 0x200;
  if (start === 0x200 || start >= source.size) throw noImage('no version string');
  const text = source.read(start, Math.min(256, source.size - start)).toString('latin1');
  const release = /^([^\s\0]+)[\s\0]/.exec(text)?.[1];
  if (release === undefined) throw noImage('an empty version string');
  return release;
}

function findModulesDirectory(tree: Tree): string {
  const found: string[] = [];
  for (const [path, entry] of tree) {
    const parent = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
    if (entry.kind === 'directory' && modulesParents.includes(parent)) found.push(path);
  }
  if (found.length === 1) return found[0]!;
  if (found.length === 0)
    throw new Failure('not-found', 'the kernel package has no directory below lib/modules', {
      hint: 'name a package that brings a kernel, such as linux-image-amd64',
    });
  throw new Failure('conflict', `there are several kernels: ${found.join(', ')}`, {
    hint: 'choose one kernel package',
  });
}

async function findVmlinuz(tree: Tree, release: string): Promise<string> {
  const others: string[] = [];
  for (const [path, entry] of tree) {
    if (entry.kind !== 'file' || !/^boot\/vmlinuz[^/]*$/.test(path)) continue;
    const own = await withByteSource(entry.content, path, bzImageRelease);
    if (own === release) return path;
    others.push(`${path} is ${own}`);
  }
  if (others.length === 0) throw new Failure('not-found', 'the kernel package has no boot/vmlinuz');
  throw new Failure('conflict', `modules are for ${release}, but ${others.join(', ')}`, {
    hint: 'kernel image and modules must come from the same build',
  });
}

async function checkVermagic(tree: Tree, directory: string, release: string): Promise<void> {
  for (const [path, entry] of tree) {
    if (entry.kind !== 'file' || !path.startsWith(`${directory}/`) || !isModulePath(path)) continue;
    const { vermagic } = await readModinfo(entry.content, path);
    const own = vermagic?.split(' ')[0];
    if (own === release) return;
    throw new Failure('conflict', `${path} was built for kernel ${own ?? 'without a name'}, not ${release}`, {
      hint: 'a kernel refuses modules of another build; get the whole package again',
    });
  }
  throw new Failure('not-found', `${directory} has no modules`);
}
