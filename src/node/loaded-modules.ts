import { readFile } from 'node:fs/promises';
import { readTextIfPresent } from '../base/files.ts';
import { compareBytes } from '../base/names.ts';

/** A module that runs, and where the image keeps it. */
export interface LoadedModule {
  readonly name: string;
  /** `image` when the initramfs carries it, `flist` when only the modules flist can have given it. */
  readonly origin: 'image' | 'flist';
}

/**
 * The modules that the kernel runs, by name.
 * @param procModules `/proc/modules` (proc(5))
 * @param imageModules the `modules.dep` of the image, saved before anything was mounted over it
 */
export async function readLoadedModules(procModules: string, imageModules: string): Promise<LoadedModule[]> {
  const own = moduleNames((await readTextIfPresent(imageModules)) ?? '');
  const lines = (await readFile(procModules, 'utf8')).split('\n').filter((line) => line !== '');
  return lines
    .map((line) => line.split(' ', 1)[0]!)
    .sort(compareBytes)
    .map((name) => ({ name, origin: own.has(name) ? 'image' : 'flist' }));
}

/** The modules that a `modules.dep` lists, spelt as the kernel does: `kernel/hid/hid-generic.ko.xz: …` is `hid_generic`. */
export function moduleNames(modulesDep: string): Set<string> {
  const names = new Set<string>();
  for (const line of modulesDep.split('\n')) {
    const name = /^(?:[^:]*\/)?([^/:.]+)\.ko(?:\.\w+)?:/.exec(line)?.[1];
    if (name !== undefined) names.add(name.replaceAll('-', '_'));
  }
  return names;
}
