import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packedPlace, rfs } from './test-rfs.ts';

test('a flist comes back byte for byte from its dump, from a file and from a pipe', async () => {
  const { root, meta } = await packedPlace();
  const { code, out: dump } = await rfs(['dump', meta]);
  expect(code).toBe(0);
  const [file, again, piped] = [join(root, 'dump'), join(root, 'again.fl'), join(root, 'piped.fl')];
  await writeFile(file, dump);
  expect(await rfs(['from-dump', file, '-m', again])).toEqual({
    code: 0,
    out: `${again}: 5 entries, 3 blocks\n`,
    error: '',
  });
  const { out } = await rfs(['from-dump', '-', '-m', piped, '--json'], { input: dump });
  expect(JSON.parse(out)).toEqual({ inodes: 5, blocks: 3 });
  expect(await readFile(again)).toEqual(await readFile(meta));
  expect(await readFile(piped)).toEqual(await readFile(meta));
});

test('a dump that is wrong or not there is an error that names it', async () => {
  const { root, meta } = await packedPlace();
  const output = join(root, 'new.fl');
  const wrong = await rfs(['from-dump', '-', '-m', output], { input: '{"flist":1}\n{"path":7}\n' });
  expect(wrong).toMatchObject({ code: 1, error: expect.stringMatching(/line 2 of standard input.*"path"/) });
  const absent = await rfs(['from-dump', join(root, 'absent'), '-m', output]);
  expect(absent).toMatchObject({ code: 1, error: expect.stringContaining('absent') });
  expect((await rfs(['from-dump', '-'])).code).toBe(2);
  expect((await rfs(['dump', output])).code).toBe(1);
  expect((await rfs(['dump', meta])).out).toMatch(/^\{"flist":1\}\n/);
});
