import { Failure } from '../base/errors.ts';
import { closestName } from '../base/names.ts';
import type { Tree } from '../tree/tree.ts';
import { isPattern, matchesPattern } from './glob.ts';
import { parseBuiltinModinfo, parseSoftdeps, type Softdep, wordsOf } from './modinfo.ts';
import { moduleName, normalizeAlias, normalizeName } from './module-name.ts';
import { textAt } from './text-at.ts';

/** What a name means in a kernel: modules to load (an alias may mean several), or code that is built in. */
export interface Resolution {
  readonly kind: 'modules' | 'builtins';
  readonly names: readonly string[];
  /** Whether the name is an alias and not the name of what it means. */
  readonly isAlias: boolean;
}

/** The texts of the index files; those that are missing are empty. */
export interface IndexTexts {
  /** modules.dep */
  readonly dependencies: string;
  /** modules.softdep */
  readonly softdeps?: string;
  /** modules.weakdep */
  readonly weakdeps?: string;
  /** modules.alias */
  readonly aliases?: string;
  /** modules.builtin */
  readonly builtin?: string;
  /** modules.builtin.modinfo */
  readonly builtinModinfo?: string;
}

interface Listed {
  readonly path: string;
  /** Names of all modules that it needs; to load from last to first. */
  readonly dependencies: readonly string[];
}

const noSoftdep: Softdep = { pre: [], post: [] };

/** What the text index files of a modules directory say (modules.dep(5), and the files that depmod(8) writes). */
export class ModuleIndex {
  readonly #modules: ReadonlyMap<string, Listed>;
  readonly #softdeps: ReadonlyMap<string, Softdep>;
  readonly #weakdeps: ReadonlyMap<string, readonly string[]>;
  readonly #aliases: AliasTable;
  readonly #builtins: ReadonlySet<string>;
  readonly #builtinAliases: AliasTable;
  /** Firmware files that code in the kernel image itself may ask for. */
  readonly builtinFirmware: readonly { readonly module: string; readonly firmware: string }[];

  /** @throws Failure `corrupt` when modules.dep names a module that it does not list. */
  constructor(texts: IndexTexts) {
    this.#modules = parseDependencies(texts.dependencies);
    this.#softdeps = mapValues(valuesByModule(texts.softdeps, 'softdep'), parseSoftdeps);
    this.#weakdeps = mapValues(valuesByModule(texts.weakdeps, 'weakdep'), (values) =>
      values.flatMap(wordsOf),
    );
    this.#aliases = new AliasTable(parseAliases(texts.aliases ?? ''));
    this.#builtins = new Set(linesOf(texts.builtin).map(moduleName));
    const fields = parseBuiltinModinfo(texts.builtinModinfo ?? '');
    const named = (key: string) => fields.filter((field) => field.key === key);
    this.#builtinAliases = new AliasTable(named('alias').map(({ module, value }) => [value, module]));
    this.builtinFirmware = named('firmware').map(({ module, value }) => ({ module, firmware: value }));
  }

  /**
   * Reads the index files of a modules directory, the tree below `/lib/modules/<release>`.
   * @throws Failure `not-found` when it has no modules.dep.
   */
  static async read(modulesDirectory: Tree): Promise<ModuleIndex> {
    const dependencies = await textAt(modulesDirectory, 'modules.dep');
    if (dependencies === undefined)
      throw new Failure('not-found', 'the modules directory has no modules.dep', {
        hint: 'kernel packages ship without it; lay the files of depmod() over the directory first',
      });
    const text = async (name: string) => (await textAt(modulesDirectory, name)) ?? '';
    return new ModuleIndex({
      dependencies,
      softdeps: await text('modules.softdep'),
      weakdeps: await text('modules.weakdep'),
      aliases: await text('modules.alias'),
      builtin: await text('modules.builtin'),
      builtinModinfo: await text('modules.builtin.modinfo'),
    });
  }

  /** The names of all modules that have a file, in order of priority. */
  get names(): IterableIterator<string> {
    return this.#modules.keys();
  }

  has(name: string): boolean {
    return this.#modules.has(normalizeName(name));
  }

  isBuiltin(name: string): boolean {
    return this.#builtins.has(normalizeName(name));
  }

  /** The path of a module in the modules directory, as the file is really called. */
  pathOf(name: string): string {
    return this.#listed(name).path;
  }

  /** All modules that a module needs, directly or not; loading goes from last to first. */
  dependenciesOf(name: string): readonly string[] {
    return this.#listed(name).dependencies;
  }

  /** Those of `dependenciesOf` that no other of them brings: the steps by which a chain of reasons goes. */
  nearestDependenciesOf(name: string): string[] {
    const all = this.dependenciesOf(name);
    const indirect = new Set(all.flatMap((dependency) => this.dependenciesOf(dependency)));
    return all.filter((dependency) => !indirect.has(dependency));
  }

  softdepOf(name: string): Softdep {
    return this.#softdeps.get(normalizeName(name)) ?? noSoftdep;
  }

  weakdepsOf(name: string): readonly string[] {
    return this.#weakdeps.get(normalizeName(name)) ?? [];
  }

  /**
   * What a name or alias means, looked up as modprobe does: modules by name, modules by alias, built-in code by alias,
   * built-in code by name. Undefined when this kernel knows nothing of that name.
   */
  resolve(nameOrAlias: string): Resolution | undefined {
    const name = normalizeName(nameOrAlias);
    if (this.#modules.has(name)) return { kind: 'modules', names: [name], isAlias: false };
    const modules = this.#aliases.lookup(nameOrAlias);
    if (modules.length > 0) return { kind: 'modules', names: modules, isAlias: true };
    const builtins = this.#builtinAliases.lookup(nameOrAlias);
    if (builtins.length > 0) return { kind: 'builtins', names: builtins, isAlias: true };
    return this.#builtins.has(name) ? { kind: 'builtins', names: [name], isAlias: false } : undefined;
  }

  /** The module or built-in that a misspelt name most likely means. */
  suggest(name: string): string | undefined {
    return closestName(normalizeName(name), [...this.#modules.keys(), ...this.#builtins]);
  }

  #listed(name: string): Listed {
    const listed = this.#modules.get(normalizeName(name));
    if (listed === undefined) throw new Failure('not-found', `this kernel has no module ${name}`);
    return listed;
  }
}

/** Aliases by their normalised text: plain ones in a map, patterns in a list. */
class AliasTable {
  readonly #plain = new Map<string, string[]>();
  readonly #patterns: [pattern: string, module: string][] = [];

  constructor(aliases: readonly (readonly [alias: string, module: string])[]) {
    for (const [text, module] of aliases) {
      const alias = normalizeAlias(text);
      if (alias === undefined) continue;
      if (isPattern(alias)) this.#patterns.push([alias, module]);
      else this.#plain.set(alias, [...(this.#plain.get(alias) ?? []), module]);
    }
  }

  /** The modules of every alias that matches, each once. */
  lookup(text: string): string[] {
    const key = normalizeAlias(text);
    if (key === undefined) return [];
    const found = new Set(this.#plain.get(key));
    for (const [pattern, module] of this.#patterns) if (matchesPattern(key, pattern)) found.add(module);
    return [...found];
  }
}

function linesOf(text: string | undefined): string[] {
  return (text ?? '').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** Lines `path: path path …`. */
function parseDependencies(text: string): Map<string, Listed> {
  const modules = new Map<string, Listed>();
  for (const line of linesOf(text)) {
    const colon = line.indexOf(':');
    const path = line.slice(0, Math.max(colon, 0));
    if (path === '')
      throw new Failure('corrupt', `modules.dep has a line without a module: ${line.slice(0, 200)}`);
    const dependencies = wordsOf(line.slice(colon + 1)).map(moduleName);
    modules.set(moduleName(path), { path, dependencies });
  }
  for (const [name, { dependencies }] of modules)
    for (const dependency of dependencies)
      if (!modules.has(dependency))
        throw new Failure(
          'corrupt',
          `modules.dep says that ${name} needs ${dependency}, which it does not list`,
        );
  return modules;
}

/** Lines `keyword module value`; a module may have several. */
function valuesByModule(text: string | undefined, keyword: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const line of linesOf(text)) {
    const [, first, name, value] = /^(\S+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    if (first !== keyword) continue;
    const known = values.get(normalizeName(name!));
    if (known) known.push(value!);
    else values.set(normalizeName(name!), [value!]);
  }
  return values;
}

function mapValues<K, V, W>(map: ReadonlyMap<K, V>, change: (value: V) => W): Map<K, W> {
  return new Map([...map].map(([key, value]) => [key, change(value)]));
}

/** Lines `alias PATTERN MODULE`; a pattern may hold blanks. */
function parseAliases(text: string): (readonly [alias: string, module: string])[] {
  const aliases: (readonly [string, string])[] = [];
  for (const line of linesOf(text)) {
    const end = line.lastIndexOf(' ');
    if (line.startsWith('alias ') && end > 6) aliases.push([line.slice(6, end).trim(), line.slice(end + 1)]);
  }
  return aliases;
}
