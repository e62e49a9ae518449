import { Failure } from '../base/errors.ts';
import { formatPlace } from './config-lines.ts';
import { loadOrder } from './load-order.ts';
import type { ModuleIndex } from './module-index.ts';
import { normalizeName } from './module-name.ts';
import type { ModuleStage, WantedModule } from './modules-conf.ts';

/** How one module brings another: `depends` must be loaded before it, the others are wishes. */
export type DependencyKind = 'depends' | 'softdep pre' | 'softdep post' | 'weakdep';

/** Why something is in the closure: a line of modules.conf, or another module. */
export type Reason =
  | {
      readonly kind: 'wanted';
      readonly by: WantedModule;
      /** The alias by which it was asked for, where that is not its name. */
      readonly alias?: string;
    }
  | {
      readonly kind: DependencyKind;
      /** The module that asks for it. */
      readonly of: string;
      readonly alias?: string;
    };

export interface ClosureModule {
  readonly name: string;
  /** Path in the modules directory. */
  readonly path: string;
  /** `stage1` when a stage1 line needs it, even if a stage2 line does too. */
  readonly stage: ModuleStage;
  /** At least one; the first is the shortest way from a wanted line. */
  readonly reasons: readonly Reason[];
}

export interface ClosureBuiltin {
  readonly name: string;
  readonly reasons: readonly Reason[];
}

/** A soft or weak dependency that this kernel does not have; modprobe passes over it, and so does the closure. */
export interface UnresolvedDependency {
  readonly name: string;
  readonly kind: Exclude<DependencyKind, 'depends'>;
  readonly of: string;
}

export interface Closure {
  /** In load order: each after what it depends on and after its soft dependencies; all of stage1 before stage2. */
  readonly modules: readonly ClosureModule[];
  /** What was asked for and is part of the kernel image. */
  readonly builtins: readonly ClosureBuiltin[];
  readonly unresolved: readonly UnresolvedDependency[];
}

/**
 * Everything that the wanted modules need: dependencies through all levels, soft dependencies before and after, weak
 * dependencies, each by name or by alias.
 * @throws Failure `config` naming every wanted module that this kernel does not have.
 */
export function closureOf(wanted: readonly WantedModule[], index: ModuleIndex): Closure {
  const walk = new Walk(index);
  for (const stage of ['stage1', 'stage2'] as const)
    walk.reach(
      stage,
      wanted.filter((module) => module.stage === stage),
    );
  if (walk.unknown.length > 0) throw unknownFailure(walk.unknown, index);
  const order = loadOrder([...walk.modules.keys()], index);
  return {
    modules: order.map((name) => ({ name, path: index.pathOf(name), ...walk.modules.get(name)! })),
    builtins: [...walk.builtins].map(([name, reasons]) => ({ name, reasons })),
    unresolved: walk.unresolved,
  };
}

/** One step of an explanation: a name and why it is there. */
export interface ChainLink {
  readonly name: string;
  readonly reason: Reason;
}

/**
 * The shortest chain from a line of modules.conf to a module or built-in: the first link is wanted by a line, every other
 * is brought by the one before it. Undefined when the name is not in the closure.
 */
export function chainTo(closure: Closure, name: string): ChainLink[] | undefined {
  const reasons = new Map([...closure.modules, ...closure.builtins].map((item) => [item.name, item.reasons]));
  const chain: ChainLink[] = [];
  for (let at: string | undefined = normalizeName(name); at !== undefined; ) {
    const reason: Reason | undefined = reasons.get(at)?.[0];
    if (reason === undefined) return undefined;
    chain.unshift({ name: at, reason });
    at = reason.kind === 'wanted' ? undefined : reason.of;
  }
  return chain;
}

/** Breadth first, so that the first reason of each module is on a shortest way. */
class Walk {
  readonly modules = new Map<string, { stage: ModuleStage; reasons: Reason[] }>();
  readonly builtins = new Map<string, Reason[]>();
  readonly unresolved: UnresolvedDependency[] = [];
  readonly unknown: WantedModule[] = [];
  readonly #index: ModuleIndex;
  readonly #queue: string[] = [];

  constructor(index: ModuleIndex) {
    this.#index = index;
  }

  reach(stage: ModuleStage, wanted: readonly WantedModule[]): void {
    for (const by of wanted) if (!this.#add(stage, by.name, { kind: 'wanted', by })) this.unknown.push(by);
    for (let name = this.#queue.shift(); name !== undefined; name = this.#queue.shift())
      this.#expand(stage, name);
  }

  #expand(stage: ModuleStage, of: string): void {
    for (const name of this.#index.nearestDependenciesOf(of)) this.#add(stage, name, { kind: 'depends', of });
    const { pre, post } = this.#index.softdepOf(of);
    const wishes = { 'softdep pre': pre, 'softdep post': post, weakdep: this.#index.weakdepsOf(of) };
    for (const [key, names] of Object.entries(wishes)) {
      const kind = key as keyof typeof wishes;
      for (const name of names)
        if (!this.#add(stage, name, { kind, of })) this.unresolved.push({ name, kind, of });
    }
  }

  /** Whether the kernel has what is asked for. */
  #add(stage: ModuleStage, asked: string, reason: Reason): boolean {
    const resolution = this.#index.resolve(asked);
    if (resolution === undefined) return false;
    const full: Reason = resolution.isAlias ? { ...reason, alias: asked } : reason;
    for (const name of resolution.names) {
      const reasons =
        resolution.kind === 'modules' ? this.#reasonsOf(stage, name) : this.#builtinReasonsOf(name);
      reasons.push(full);
    }
    return true;
  }

  #reasonsOf(stage: ModuleStage, name: string): Reason[] {
    const known = this.modules.get(name);
    if (known) return known.reasons;
    const reasons: Reason[] = [];
    this.modules.set(name, { stage, reasons });
    this.#queue.push(name);
    return reasons;
  }

  #builtinReasonsOf(name: string): Reason[] {
    const reasons = this.builtins.get(name) ?? [];
    this.builtins.set(name, reasons);
    return reasons;
  }
}

function unknownFailure(unknown: readonly WantedModule[], index: ModuleIndex): Failure {
  const lines = unknown.map(({ name, place }) => {
    const meant = index.suggest(name);
    return `${formatPlace(place)}: this kernel has no module ${name}${meant ? `; did you mean ${meant}?` : ''}`;
  });
  return new Failure('config', lines.join('\n'), {
    hint: 'correct the name, or remove the line if the kernel of this image does not bring the module',
  });
}
