import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unitOf } from './test-host.ts';
import { checkUnitGraph, stopOrder } from './unit-graph.ts';
import { formatUnitProblem, type UnitFile } from './units.ts';

function filesOf(graph: Readonly<Record<string, readonly string[]>>): UnitFile[] {
  return Object.entries(graph).map(([name, after]) => ({
    unit: unitOf(name, { after }),
    file: `${name}.yaml`,
    afterLines: after.map((_, index) => index + 2),
  }));
}

const problemsOf = (graph: Readonly<Record<string, readonly string[]>>) =>
  checkUnitGraph(filesOf(graph)).map(formatUnitProblem);

describe('the graph of units', () => {
  it('is fine when every name is known and nothing waits for itself', () => {
    expect(problemsOf({ a: [], b: ['a'], c: ['a', 'b'] })).toEqual([]);
  });

  it('may not name a unit that is not there', () => {
    expect(problemsOf({ udevd: [], network: ['udevd', 'udev'] })).toEqual([
      'network.yaml:3: "network" is after "udev", and there is no such unit; did you mean "udevd"?',
    ]);
  });

  it('may not hold a cycle, which is told once with its chain', () => {
    expect(problemsOf({ a: ['b'], b: ['c'], c: ['a'], d: ['a'] })).toEqual([
      'c.yaml:2: units wait for each other: a after b after c after a',
    ]);
    expect(problemsOf({ self: ['self'] })).toEqual([
      'self.yaml:2: units wait for each other: self after self',
    ]);
  });
});

describe('the order of a shutdown', () => {
  it('has every unit before the ones that it came after, and each once, also with cycles', () => {
    const graphs = fc.array(fc.array(fc.nat(11), { maxLength: 4 }), { maxLength: 10 });
    fc.assert(
      fc.property(graphs, (edges) => {
        const units = edges.map((after, index) => ({
          name: `u${index}`,
          after: after.map((other) => `u${other}`),
        }));
        const order = stopOrder(units);
        expect([...order].sort()).toEqual(units.map(({ name }) => name).sort());
        if (
          checkUnitGraph(filesOf(Object.fromEntries(units.map(({ name, after }) => [name, after])))).length >
          0
        )
          return;
        for (const { name, after } of units)
          for (const earlier of after) expect(order.indexOf(name)).toBeLessThan(order.indexOf(earlier));
      }),
    );
  });
});
