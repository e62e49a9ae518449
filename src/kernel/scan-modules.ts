import type { Content } from '../tree/content.ts';
import type { Tree } from '../tree/tree.ts';
import { kmodHashOrder } from './kmod-hash-order.ts';
import { type ModuleFile, readModuleFile } from './module-file.ts';
import { isModulePath, moduleName, uncompressedPath } from './module-name.ts';
import { textAt } from './text-at.ts';

/** A module of a modules directory and what its file tells. */
export interface KernelModule extends ModuleFile {
  readonly name: string;
  /** Path in the modules directory, with its real suffix. */
  readonly path: string;
}

/** Files read at the same time: enough to keep decompression busy, few enough to bound memory. */
const parallel = 4;

/**
 * Reads every module of a modules directory once, in the order of priority that depmod gives them: as `modules.order`
 * lists them, the rest after those. Directories named `build` or `source` are the kernel's sources and left out;
 * symbolic links are not followed. Of two files for one name, one below `updates/` counts, else the first by path.
 * @param modulesDirectory the tree below `/lib/modules/<release>`.
 * @throws Failure `corrupt` naming the file that is no module.
 */
export async function scanModules(modulesDirectory: Tree): Promise<KernelModule[]> {
  const order = await textAt(modulesDirectory, 'modules.order');
  const files = sortByOrder(findModules(modulesDirectory), order ?? '');
  const modules: KernelModule[] = [];
  const names = new Map<string, string>();
  let next = 0;
  const worker = async () => {
    while (next < files.length) {
      const index = next++;
      const { name, path, content } = files[index]!;
      const { info, exports, imports } = await readModuleFile(content, path).catch((error: unknown) => {
        next = files.length; // the others need not go on
        throw error;
      });
      modules[index] = { name, path, info, exports: shared(names, exports), imports: shared(names, imports) };
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return modules;
}

interface Found {
  readonly name: string;
  readonly path: string;
  readonly content: Content;
}

function findModules(tree: Tree): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const [path, entry] of tree) {
    if (entry.kind !== 'file' || !isModulePath(path)) continue;
    if (path.split('/').some((directory) => directory === 'build' || directory === 'source')) continue;
    const name = moduleName(path);
    const isUpdate = path.startsWith('updates/') && !found.get(name)?.path.startsWith('updates/');
    if (isUpdate || !found.has(name)) found.set(name, { name, path, content: entry.content });
  }
  return found;
}

/** depmod's table of names has 512 buckets; modules that `modules.order` does not list keep the order of that table. */
function sortByOrder(found: ReadonlyMap<string, Found>, order: string): Found[] {
  const places = new Map<string, number>();
  for (const line of order.split('\n')) if (!places.has(line)) places.set(line, places.size);
  const placeOf = ({ path }: Found) => places.get(uncompressedPath(path)) ?? places.size;
  return kmodHashOrder(found.keys(), 512)
    .map((name) => found.get(name)!)
    .sort((a, b) => placeOf(a) - placeOf(b));
}

/** The same strings, each kept once for all modules. */
function shared(known: Map<string, string>, names: readonly string[]): string[] {
  return names.map((name) => {
    const present = known.get(name);
    if (present === undefined) known.set(name, name);
    return present ?? name;
  });
}
