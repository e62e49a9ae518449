import { closeSync, mkdirSync, openSync, readSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { Failure } from '../src/base/errors.ts';
import { systemPath } from '../src/base/names.ts';
import { findKernel } from '../src/kernel/release.ts';
import { Apt } from '../src/package/deb/apt.ts';
import { readHostArchive, sourcesFor } from '../src/package/deb/apt-sources.ts';
import { readDeb } from '../src/package/deb/deb.ts';
import { debPath, downloadPackages } from '../src/package/deb/download.ts';
import { writeTreeToDirectory } from '../src/tree/to-directory.ts';
import { walkDirectory } from '../src/tree/walk-directory.ts';
import type { Bench } from './benchmark.ts';

const cache = join(import.meta.dirname, '../node_modules/.cache/bench');

/** A directory that is packed, and what the page calls it. */
export interface Sample {
  readonly directory: string;
  readonly name: string;
}

/** The directory that a benchmark was told to take, or the modules of Debian's kernel. */
export async function sampleTree({ args, say }: Pick<Bench, 'args' | 'say'>): Promise<Sample> {
  const [given] = args;
  return given === undefined ? moduleTree(say) : { directory: resolve(given), name: basename(given) };
}

/** The modules of Debian's kernel, unpacked: about 4,000 files, 400 MB. The host's apt downloads the package once. */
async function moduleTree(say: (text: string) => void): Promise<Sample> {
  const kernels = join(cache, 'kernels');
  await mkdir(kernels, { recursive: true });
  const [release = await fetchModules(kernels, say)] = await readdir(kernels);
  return { directory: join(kernels, release), name: `the modules of Debian's kernel ${release}` };
}

/** @returns the kernel's release, which is the name of the directory that it has now in `kernels` */
async function fetchModules(kernels: string, say: (text: string) => void): Promise<string> {
  say('downloading the kernel package (once)');
  const sources = sourcesFor(await readHostArchive(), { components: ['main'] });
  const apt = await Apt.open({ directory: join(cache, 'apt'), sources, architecture: 'amd64' });
  const lock = await apt.resolve({ packages: ['linux-image-amd64'], exclude: [] });
  const image = lock.find(({ name }) => /^linux-image-\d/.test(name));
  if (image === undefined) throw new Failure('not-found', 'linux-image-amd64 depends on no kernel');
  const work = await mkdtemp(join(cache, 'unpacking-'));
  try {
    await downloadPackages(apt, [image], work);
    const { tree } = await readDeb(debPath(work, image), { name: image.name });
    const { release, modulesDirectory } = await findKernel(tree);
    await writeTreeToDirectory(tree.subtree(modulesDirectory), join(work, release));
    await rename(join(work, release), join(kernels, release));
    return release;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What a mixed tree is made of, in this order, until it is big enough. */
const mixture = ['/usr/bin', '/usr/share', '/usr/lib'];

/**
 * A tree of so many bytes in files of all kinds and sizes: kernel modules, programs, documents, libraries. Where a machine has too few,
 * they come again with every byte changed, which compress as well and are equal to nothing.
 */
export async function mixedTree(
  directory: string,
  bytes: number,
  say: (text: string) => void,
): Promise<Sample> {
  const modules = await moduleTree(say);
  say(`copying ${formatMegabytes(bytes)} of files`);
  const sources = [modules.directory, ...mixture];
  let left = bytes;
  for (let change = 0; left > 0; change++)
    for (const [index, source] of sources.entries())
      left = copyFiles(source, join(directory, `${change}-${index}`), { change, limit: left });
  return { directory, name: `${modules.name}, \`${mixture.join('`, `')}\`` };
}

/** Copies files and links until `limit` bytes are copied; returns how many are left of it. */
function copyFiles(
  source: string,
  target: string,
  { change, limit }: { readonly change: number; readonly limit: number },
): number {
  let left = limit;
  const onProblem = () => {};
  for (const [path, entry] of walkDirectory(source, { onProblem })) {
    const place = systemPath(path === '' ? target : `${target}/${path}`);
    if (entry.kind === 'directory') mkdirSync(place, { recursive: true });
    else if (entry.kind === 'symlink') symlinkSync(systemPath(entry.target), place);
    else if (entry.kind === 'file') {
      const bytes = readPart(entry.content.file!, Math.min(left, entry.content.size));
      if (change > 0) for (let i = 0; i < bytes.length; i++) bytes[i]! ^= change;
      writeFileSync(place, bytes);
      left -= bytes.length;
    }
    if (left <= 0) break;
  }
  return left;
}

function readPart(file: string, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  const descriptor = openSync(systemPath(file), 'r');
  try {
    return bytes.subarray(0, readSync(descriptor, bytes, 0, size, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** So many small files in directories of a hundred, some 1.5 kB each: words by a seed. */
export function smallFiles(directory: string, count: number): void {
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let index = 0; index < count; index++) {
    const parent = join(directory, `${Math.floor(index / 10_000)}`, `${Math.floor(index / 100) % 100}`);
    if (index % 100 === 0) mkdirSync(parent, { recursive: true });
    let text = `file ${index}\n`;
    for (let words = random(400); words > 0; words--) text += `${random(100_000).toString(36)} `;
    writeFileSync(join(parent, `file-${index}.txt`), text);
  }
}

/** How many regular files a directory has, and their bytes. */
export function sizeOf(directory: string): { readonly files: number; readonly bytes: number } {
  let [files, bytes] = [0, 0];
  for (const [, entry] of walkDirectory(directory))
    if (entry.kind === 'file') [files, bytes] = [files + 1, bytes + entry.content.size];
  return { files, bytes };
}

/** A directory's size for the page: `4,035 files, 395 MB`. */
export function describeSize({ files, bytes }: ReturnType<typeof sizeOf>): string {
  return `${files.toLocaleString('en')} files, ${formatMegabytes(bytes)}`;
}

/** `395 MB`: decimal, as rates are. */
export function formatMegabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6).toLocaleString('en')} MB`;
}
