import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { formatTable } from '../src/base/table.ts';
import { titleEnd } from '../src/store/conformance.ts';

const marks = { cannot: '○', passed: '✓', failed: '✗', skipped: '-', pending: '-' };

/** Prints what every store did in every case of the conformance table (src/store/conformance.ts), when it was run. */
export default class StoreMatrixReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const stores = new Map<string, Map<string, string>>();
    for (const module of modules)
      for (const test of module.children.allTests()) {
        const store = storeOf(test);
        if (store === undefined) continue;
        const cases = stores.get(store) ?? new Map<string, string>();
        const { state } = test.result();
        const outcome = state === 'passed' && test.meta().cannot ? 'cannot' : state;
        stores.set(store, cases.set(test.name, marks[outcome]));
      }
    if (stores.size > 0) console.log(`\n${matrix(stores).join('\n')}\n`);
  }
}

function storeOf(test: TestCase): string | undefined {
  const { parent } = test;
  return parent.type === 'suite' && parent.name.endsWith(titleEnd)
    ? parent.name.slice(0, -titleEnd.length)
    : undefined;
}

/** Stores as rows and cases as columns, with what the columns stand for below. */
function matrix(stores: ReadonlyMap<string, ReadonlyMap<string, string>>): string[] {
  const cases = [...new Set([...stores.values()].flatMap((results) => [...results.keys()]))];
  const letters = cases.map((_, index) => String.fromCharCode('A'.charCodeAt(0) + index));
  const rows = [...stores].map(([store, results]) => [
    store,
    ...cases.map((name) => results.get(name) ?? ' '),
  ]);
  return [
    ...formatTable([['store', ...letters], ...rows]),
    '',
    ...cases.map((name, index) => `${letters[index]}  ${name}`),
    '',
    '✓ passed  ○ passed: says that it cannot  ✗ failed',
  ];
}
