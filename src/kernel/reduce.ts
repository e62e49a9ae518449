import { overlay } from '../tree/overlay.ts';
import type { Tree } from '../tree/tree.ts';
import type { Closure } from './closure.ts';
import { indexFiles } from './depmod.ts';
import { type KernelModule, scanModules } from './scan-modules.ts';

/** What the kernel build wrote and depmod reads: without them built-ins look missing and alias priority changes. */
const kernelLists = ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'];

export interface ReducedModules {
  /** A modules directory with the modules of the closure only, and index files that know no others. */
  readonly tree: Tree;
  /** What the module files say, for what else wants to know: their firmware, for one. */
  readonly modules: readonly KernelModule[];
}

/**
 * The part of a modules directory that a closure needs; every file keeps its name.
 * @param modulesDirectory the tree below `/lib/modules/<release>`.
 */
export async function reduceModules(modulesDirectory: Tree, closure: Closure): Promise<ReducedModules> {
  const kept = new Set([...kernelLists, ...closure.modules.map(({ path }) => path)]);
  const selected = modulesDirectory.select((path) => kept.has(path));
  const modules = await scanModules(selected);
  return { tree: overlay(selected, await indexFiles(modules, selected)), modules };
}
