import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { storeSpecs } from './spec-file.ts';
import { testDirectory } from './test-directory.ts';

async function fileOf(text: string): Promise<string> {
  const path = join(await testDirectory(), 'stores');
  await writeFile(path, text);
  return path;
}

test('a store stands for itself, and @FILE for the stores in a file', async () => {
  expect(storeSpecs('00-7f=dir:///srv/a@b')).toEqual(['00-7f=dir:///srv/a@b']);
  const path = await fileOf(
    '# where blocks are\n\n  00-7f=https://u:p@host/low\n80-ff=https://u:p@host/high\r\n',
  );
  expect(storeSpecs(`@${path}`)).toEqual(['00-7f=https://u:p@host/low', '80-ff=https://u:p@host/high']);
});

test('a file without a store, and one that is not there, are failures', async () => {
  const empty = await fileOf('# nothing\n');
  expect(() => storeSpecs(`@${empty}`)).toThrow(/names no store/);
  expect(() => storeSpecs('@/absent')).toThrow(/cannot read the file of stores "\/absent"/);
});
