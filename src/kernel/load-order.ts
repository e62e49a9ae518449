import type { ModuleIndex } from './module-index.ts';

type Step = { readonly do: 'enter' | 'enter if possible' | 'load'; readonly name: string };

/**
 * The order in which to load modules: each after its dependencies, after the soft dependencies that it wants before it,
 * and followed by those that it wants after it. Where a soft dependency itself depends on the module that wants it first,
 * the dependency wins.
 * @param names the modules of a closure, by urgency.
 */
export function loadOrder(names: readonly string[], index: ModuleIndex): string[] {
  const included = new Set(names);
  const entered = new Set<string>();
  const waiting = new Set<string>();
  const order: string[] = [];
  const modulesOf = (wishes: readonly string[]) =>
    wishes.flatMap((wish) => index.resolve(wish)?.names ?? []).filter((name) => included.has(name));
  const wish = (name: string): Step => ({ do: 'enter if possible', name });

  const steps: Step[] = names.map((name): Step => ({ do: 'enter', name })).reverse();
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    const { name } = step;
    if (step.do === 'load') {
      waiting.delete(name);
      order.push(name);
      continue;
    }
    const dependencies = index.has(name) ? index.dependenciesOf(name) : [];
    if (entered.has(name)) continue;
    if (step.do === 'enter if possible' && dependencies.some((dependency) => waiting.has(dependency)))
      continue;
    entered.add(name);
    waiting.add(name);
    const { pre, post } = index.softdepOf(name);
    // The last step is done first.
    steps.push(...modulesOf(post).map(wish).reverse());
    steps.push({ do: 'load', name });
    steps.push(...dependencies.map((dependency): Step => ({ do: 'enter', name: dependency })));
    steps.push(...modulesOf(pre).map(wish).reverse());
  }
  return order;
}
