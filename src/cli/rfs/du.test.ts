import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packedPlace, rfs } from './test-rfs.ts';

test('says what flists hold, alone and shared, by directory, and stored', async () => {
  const { root, source, meta, store } = await packedPlace();
  await writeFile(join(source, 'dir/more'), 'more content');
  const second = join(root, 'second.fl');
  await rfs(['pack', '-m', second, '-s', store, source]);
  const { code, out } = await rfs(['du', '--depth', '1', meta, second]);
  expect(code).toBe(0);
  expect(out).toContain('files    bytes  directory\n    2  586 KiB  /\n    1     11 B  /dir\n');
  expect(out).toMatch(/^ *3 +586 KiB +4 +586 KiB +12 B +586 KiB +\S+second\.fl$/m);
  expect(out).toMatch(/^ *5 +1\.1 MiB +4 +586 KiB +together$/m);
  const json = JSON.parse((await rfs(['du', '--json', '-s', store, second])).out);
  expect(json.flists).toMatchObject([{ flist: second, files: 3, blocks: 4, sharedBytes: 0 }]);
  expect(json.total.stored).toEqual({ bytes: expect.any(Number), missing: 0 });
  expect((await rfs(['du', '-s', `dir://${root}/none`, meta])).out).toMatch(
    /^stored: 0 B; 3 blocks are missing there$/m,
  );
});

test('what makes no sense is a usage error', async () => {
  expect((await rfs(['du'])).code).toBe(2);
  expect((await rfs(['du', '-d', 'x', 'a.fl'])).code).toBe(2);
  expect((await rfs(['du', '/absent.fl'])).code).toBe(1);
});
