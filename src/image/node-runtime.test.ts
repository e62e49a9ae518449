import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../base/exec.ts';
import { testDirectory } from '../store/test-directory.ts';
import { bundleForNode } from './node-runtime.ts';

/** Bundles a module and runs it far from everything that is installed. */
async function runBundled(code: string): Promise<string> {
  const directory = await testDirectory();
  const entry = join(directory, 'entry.ts');
  await writeFile(entry, code);
  const bundle = join(directory, 'node.mjs');
  await writeFile(bundle, await bundleForNode(entry));
  return (await run(process.execPath, [bundle], { cwd: directory })).stdout.toString();
}

const opening = (url: string) => `
  import { openStore } from ${JSON.stringify(join(import.meta.dirname, '../store/open.ts'))};
  const store = await openStore('${url}').catch((error) => error);
  console.log(store.name ?? store.address, store.kind, store.message);`;

test.each(['dir:///blocks', 'http://host/blocks'])('a booted node opens %s', async (url) => {
  expect(await runBundled(opening(url))).toBe(`${url} undefined undefined\n`);
});

test.each([
  's3s://host/bucket',
  'zdb://host/blocks',
])('a booted node says that it cannot open %s', async (url) => {
  expect(await runBundled(opening(url))).toMatch(
    /^Failure config stores of the kind \w+:\/\/ are not part of/,
  );
});
