import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../base/errors.ts';
import { run } from '../base/exec.ts';
import { treeFromDirectory } from '../tree/from-directory.ts';
import type { Tree } from '../tree/tree.ts';
import { findKernel, type KernelFiles } from './release.ts';

const cache = join(import.meta.dirname, '../../node_modules/.cache/cloud-kernel');

export interface CloudKernel {
  /** The unpacked package. */
  readonly directory: string;
  readonly tree: Tree;
  readonly kernel: KernelFiles;
  /** The tree below `/lib/modules/<release>`, as packaged: without the files of depmod. */
  readonly modules: Tree;
}

/**
 * Debian's cloud kernel for the tests of this room: about 1100 real modules, 26 MB. The host's apt downloads it once, as
 * any user; all tests share it.
 */
export async function cloudKernel(): Promise<CloudKernel> {
  const directory = join(cache, 'root');
  if (!(await exists(directory))) await fetchCloudKernel(directory);
  const tree = await treeFromDirectory(directory);
  const kernel = await findKernel(tree);
  return { directory, tree, kernel, modules: tree.subtree(kernel.modulesDirectory) };
}

async function fetchCloudKernel(directory: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'fetching-'));
  try {
    await download(work);
    const deb = (await readdir(work)).find((name) => name.endsWith('.deb'))!;
    await run('dpkg-deb', ['-x', join(work, deb), join(work, 'root')]);
    // Another test file may have been faster; then its result is as good.
    await rename(join(work, 'root'), directory).catch(async (error: unknown) => {
      if (!(await exists(directory))) throw error;
    });
  } catch (error) {
    throw new Failure('unavailable', 'the tests of src/kernel need Debian’s cloud kernel and cannot get it', {
      cause: error,
      hint: 'they need a Debian host with network: apt-get download linux-image-cloud-amd64 must work',
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** With the package lists of the host, or with lists of our own when the host has none. */
async function download(work: string): Promise<void> {
  const sandbox = ['-o', 'APT::Sandbox::User='];
  const own = [`Dir::State::Lists=${work}/lists`, `Dir::Cache=${work}/cache`].flatMap((option) => [
    '-o',
    option,
  ]);
  try {
    await downloadWith(sandbox, work);
  } catch {
    for (const directory of ['lists/partial', 'cache/archives/partial'])
      await mkdir(join(work, directory), { recursive: true });
    await run('apt-get', [...sandbox, ...own, '-qq', 'update']);
    await downloadWith([...sandbox, ...own], work);
  }
}

async function downloadWith(options: readonly string[], cwd: string): Promise<void> {
  const { stdout } = await run('apt-cache', [...options, 'depends', 'linux-image-cloud-amd64']);
  const name = /Depends: (linux-image-\S+)/.exec(stdout.toString())?.[1];
  if (name === undefined) throw new Failure('not-found', 'apt knows no linux-image-cloud-amd64');
  await run('apt-get', [...options, '-qq', 'download', name], { cwd });
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
