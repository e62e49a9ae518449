import { bytesContent } from '../tree/content.ts';
import { type Entry, Tree } from '../tree/tree.ts';
import { kmodHashOrder } from './kmod-hash-order.ts';
import { parseBuiltinModinfo } from './modinfo.ts';
import { moduleDependencies, symbolOwners } from './module-dependencies.ts';
import { type IndexEntry, writeModuleIndex } from './module-index-trie.ts';
import { moduleName, normalizeAlias } from './module-name.ts';
import { type KernelModule, scanModules } from './scan-modules.ts';
import { textAt } from './text-at.ts';

/**
 * The index files of a modules directory, to lay over it: what `depmod -b` of kmod 30 would write, byte for byte
 * (depmod(8), modules.dep(5)). `modules.weakdep`, which newer kmod reads, is added where a module has weak dependencies.
 * @param modulesDirectory the tree below `/lib/modules/<release>`.
 * @throws Failure `corrupt` for a file that is no module, a circle of dependencies, or names that the indexes cannot hold.
 */
export async function depmod(modulesDirectory: Tree): Promise<Tree> {
  return indexFiles(await scanModules(modulesDirectory), modulesDirectory);
}

/** The same for modules that are already read. */
export async function indexFiles(modules: readonly KernelModule[], modulesDirectory: Tree): Promise<Tree> {
  const builtin = await textAt(modulesDirectory, 'modules.builtin');
  const builtinInfo = await textAt(modulesDirectory, 'modules.builtin.modinfo');
  const owners = symbolOwners(modules);
  const dependencies = dependencyLines(modules, owners);
  const symbols = symbolAliases(modules, owners);
  const files: Record<string, Uint8Array | string> = {
    'modules.dep': linesText(dependencies.map(({ value }) => value)),
    'modules.dep.bin': writeModuleIndex(dependencies),
    'modules.alias': aliasText(modules),
    'modules.alias.bin': writeModuleIndex(aliasEntries(modules)),
    'modules.softdep': fieldText(modules, 'softdep', 'Soft'),
    'modules.symbols': linesText([
      '# Aliases for symbols, used by symbol_request().',
      ...symbols.map(({ key, value }) => `alias ${key} ${value}`),
    ]),
    'modules.symbols.bin': writeModuleIndex(symbols),
    // Without their source, depmod leaves these two empty.
    'modules.builtin.bin': builtin === undefined ? '' : writeModuleIndex(builtinEntries(builtin)),
    'modules.builtin.alias.bin':
      builtinInfo === undefined ? '' : writeModuleIndex(builtinAliasEntries(builtinInfo)),
    'modules.devname': devnameText(modules),
  };
  if (modules.some(({ info }) => info.weakdeps.length > 0))
    files['modules.weakdep'] = fieldText(modules, 'weakdep', 'Weak');
  const root = modulesDirectory.root;
  return Tree.from([
    ['', root],
    ...Object.entries(files).map(([name, content]): [string, Entry] => [
      name,
      { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: root.mtime, content: bytesContent(content) },
    ]),
  ]);
}

function linesText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** `path: path path …` of each module, all that it needs, under its name. */
function dependencyLines(
  modules: readonly KernelModule[],
  owners: ReadonlyMap<string, KernelModule>,
): IndexEntry[] {
  const dependencies = moduleDependencies(modules, owners);
  return modules.map((module, priority) => ({
    key: module.name,
    value: `${module.path}:${dependencies
      .get(module)!
      .map(({ path }) => ` ${path}`)
      .join('')}`,
    priority,
  }));
}

function aliasText(modules: readonly KernelModule[]): string {
  return linesText([
    '# Aliases extracted from modules themselves.',
    ...modules.flatMap(({ name, info }) => info.aliases.map((alias) => `alias ${alias} ${name}`)),
  ]);
}

function aliasEntries(modules: readonly KernelModule[]): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (const [priority, { name, info }] of modules.entries())
    for (const alias of info.aliases) {
      const key = normalizeAlias(alias);
      if (key !== undefined) entries.push({ key, value: name, priority });
    }
  return entries;
}

function fieldText(modules: readonly KernelModule[], field: string, title: string): string {
  return linesText([
    `# ${title} dependencies extracted from modules themselves.`,
    ...modules.flatMap(({ name, info }) =>
      (info.fields.get(field) ?? []).map((value) => `${field} ${name} ${value}`),
    ),
  ]);
}

function symbolAliases(
  modules: readonly KernelModule[],
  owners: ReadonlyMap<string, KernelModule>,
): IndexEntry[] {
  const priorities = new Map(modules.map((module, index) => [module, index]));
  // depmod's table of symbols has 2048 buckets.
  return kmodHashOrder(owners.keys(), 2048).map((symbol) => {
    const owner = owners.get(symbol)!;
    return { key: `symbol:${symbol}`, value: owner.name, priority: priorities.get(owner)! };
  });
}

function builtinEntries(builtin: string): IndexEntry[] {
  return builtin
    .split('\n')
    .filter((line) => /^[A-Za-z]/.test(line))
    .map((line) => ({ key: moduleName(line), value: '', priority: 0 }));
}

function builtinAliasEntries(builtinInfo: string): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (const { module, key, value } of parseBuiltinModinfo(builtinInfo)) {
    const alias = key === 'alias' ? normalizeAlias(value) : undefined;
    if (alias) entries.push({ key: alias, value: module, priority: 0 });
  }
  return entries;
}

/** Modules that a device node may call for: those with a `devname:` alias and a device number (depmod(8), static nodes). */
function devnameText(modules: readonly KernelModule[]): string {
  const lines: string[] = [];
  for (const { name, info } of modules) {
    let node: string | undefined;
    let device: string | undefined;
    for (const alias of info.aliases) {
      const number = /^(char|block)-major-(\d+)-(\d+)/.exec(alias);
      if (alias.startsWith('devname:')) node = alias.slice('devname:'.length);
      else if (number) device = `${number[1] === 'char' ? 'c' : 'b'}${number[2]}:${number[3]}`;
      if (node !== undefined && device !== undefined) break;
    }
    if (node !== undefined && device !== undefined) lines.push(`${name} ${node} ${device}`);
  }
  return lines.length === 0
    ? ''
    : linesText(['# Device nodes to trigger on-demand module loading.', ...lines]);
}
