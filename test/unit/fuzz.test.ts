/**
 * Changed inputs of every kind end in a value or in a typed failure, in bounded time and memory. `FUZZ_SECONDS` is how long all
 * of it takes; `FUZZ_SEED` and `FUZZ_CASE` repeat what a failure names.
 */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { brokenTargets } from '../fuzz/broken-targets.ts';
import { readCorpus } from '../fuzz/corpus.ts';
import { endFuzzing, fuzz, usualLimits } from '../fuzz/fuzz.ts';
import { targets } from '../fuzz/targets.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 30);
const seed = process.env['FUZZ_SEED'] ?? `${Date.now()}`;
const single = process.env['FUZZ_CASE'];
const shares = targets.reduce((sum, { share = 1 }) => sum + share, 0);

afterAll(endFuzzing);

describe(`with the seed ${seed}`, () => {
  test.each(targets.map(({ name }) => name))('%s end in a value or a typed failure', {
    timeout: seconds * 1000 + 2 * usualLimits.longestCase,
  }, async (name) => {
    const { corpus, share = 1 } = targets.find((target) => target.name === name)!;
    const inputs = (await readCorpus(corpus)).size;
    const first = single === undefined ? -inputs : Number(single);
    const milliseconds = single === undefined ? (seconds * 1000 * share) / shares : 0;
    const { cases, values, failed } = await fuzz({ target: name, seed, first, milliseconds });
    if (failed !== undefined) {
      const repeat = `FUZZ_SEED=${seed} FUZZ_CASE=${failed.number} npm run test:unit -- test/unit/fuzz -t '${name}'`;
      throw new Error(`${repeat}\n${failed.error}${await whereIs(failed.input)}`);
    }
    if (single === undefined) expect({ cases, values }).toMatchObject(expectedOf(inputs));
    console.log(`${name}: ${cases} cases, of which ${values} have a value`);
  });
});

/** More than the corpus was tried, and something of it is as it should be. */
function expectedOf(inputs: number) {
  return {
    cases: expect.toSatisfy((cases) => cases > inputs),
    values: expect.toSatisfy((values) => values > 0),
  };
}

async function whereIs(input: Uint8Array | undefined): Promise<string> {
  if (input === undefined) return '';
  const file = join(await mkdtemp(join(tmpdir(), 'fuzz-')), 'input');
  await writeFile(file, input);
  return `\nits input is in ${file}`;
}

test.each([
  [brokenTargets[0]!.name, /^TypeError: undefined is not a function/, 30_000],
  [brokenTargets[1]!.name, /^it does not end$/, 2000],
  [brokenTargets[2]!.name, /^it takes too much memory$/, 30_000],
])('%s is found', async (target, error, longestCase) => {
  const job = { target, seed, first: -1, milliseconds: 600_000 };
  const { failed } = await fuzz(job, { longestCase, memory: 256 << 20 });
  expect(failed).toMatchObject({ error: expect.stringMatching(error) });
});
