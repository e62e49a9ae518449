import { Failure } from '../base/errors.ts';
import type { KernelModule } from './scan-modules.ts';

/** Which module gives a symbol; of several the last counts, as in depmod. */
export function symbolOwners(modules: readonly KernelModule[]): Map<string, KernelModule> {
  const owners = new Map<string, KernelModule>();
  for (const module of modules) for (const symbol of module.exports) owners.set(symbol, module);
  return owners;
}

/**
 * All modules that each module needs, directly and through others, by the symbols that they exchange. The order is
 * depmod's: a module stands before those that it needs itself, so loading goes from last to first.
 * @throws Failure `corrupt` when modules need each other in a circle.
 */
export function moduleDependencies(
  modules: readonly KernelModule[],
  owners: ReadonlyMap<string, KernelModule>,
): Map<KernelModule, readonly KernelModule[]> {
  const direct = new Map(modules.map((module) => [module, directDependencies(module, owners)]));
  const sorted = usersFirst(modules, direct);
  const rank = new Map(sorted.map((module, index) => [module, index]));
  const all = new Map<KernelModule, readonly KernelModule[]>();
  for (const module of sorted.toReversed()) {
    const needed = new Set<KernelModule>();
    for (const dependency of direct.get(module)!) {
      needed.add(dependency);
      for (const indirect of all.get(dependency)!) needed.add(indirect);
    }
    all.set(
      module,
      [...needed].sort((a, b) => rank.get(a)! - rank.get(b)!),
    );
  }
  return all;
}

/** In the order in which the symbols are first asked for. */
function directDependencies(
  { imports }: KernelModule,
  owners: ReadonlyMap<string, KernelModule>,
): KernelModule[] {
  const dependencies = new Set<KernelModule>();
  for (const symbol of imports) {
    // On 64-bit PowerPC, `.name` is the code of the function `name`.
    const owner = owners.get(symbol.startsWith('.') ? symbol.slice(1) : symbol);
    if (owner) dependencies.add(owner);
  }
  return [...dependencies];
}

/**
 * Every module before those that it needs. Among the many such orders this is depmod's: the last one that became free is
 * taken next.
 */
function usersFirst(
  modules: readonly KernelModule[],
  direct: ReadonlyMap<KernelModule, readonly KernelModule[]>,
): KernelModule[] {
  const users = new Map(modules.map((module) => [module, 0]));
  for (const dependencies of direct.values())
    for (const dependency of dependencies) users.set(dependency, users.get(dependency)! + 1);
  const free = modules.filter((module) => users.get(module) === 0);
  const sorted: KernelModule[] = [];
  for (let module = free.pop(); module !== undefined; module = free.pop()) {
    sorted.push(module);
    for (const dependency of direct.get(module)!) {
      const left = users.get(dependency)! - 1;
      users.set(dependency, left);
      if (left === 0) free.push(dependency);
    }
  }
  if (sorted.length < modules.length) throw cycleFailure(modules, new Set(sorted), direct);
  return sorted;
}

function cycleFailure(
  modules: readonly KernelModule[],
  sorted: ReadonlySet<KernelModule>,
  direct: ReadonlyMap<KernelModule, readonly KernelModule[]>,
): Failure {
  // Whatever is left is used by something left, so walking from user to user must come round.
  const left = modules.filter((module) => !sorted.has(module));
  const walk = [left[0]!];
  for (;;) {
    const user = left.find((module) => direct.get(module)!.includes(walk.at(-1)!))!;
    const start = walk.indexOf(user);
    walk.push(user);
    if (start < 0) continue;
    const circle = walk.slice(start).reverse();
    return new Failure(
      'corrupt',
      `kernel modules need each other in a circle: ${circle.map(({ name }) => name).join(' -> ')}`,
    );
  }
}
