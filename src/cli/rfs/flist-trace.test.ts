import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectOneError, packedPlace, rfs } from './test-rfs.ts';

const head = '{"trace":1,"mounted":"2026-01-02T03:04:05.678Z"}\n';
const line = (path: string, block: number) =>
  `{"ms":${block},"path":"${path}","first":${block},"last":${block},"bytes":1}\n`;

test('a flist is given what mounts read, in a dump it is seen, and a wrong trace changes nothing', async () => {
  const { root, meta } = await packedPlace();
  const [trace, output] = [join(root, 'boot.trace'), join(root, 'ahead.fl')];
  await writeFile(trace, head + line('large', 0) + line('dir/file', 0) + line('large', 1) + line('gone', 0));
  expect(await rfs(['flist', 'trace', trace, '-m', meta, '-o', output])).toEqual({
    code: 0,
    out: `${output}: 3 blocks of 2 files, 586 KiB, are fetched ahead, by 1 mounts; 1 files are not in the flist\n`,
    error: '',
  });
  const lines = async (path: string) =>
    (await rfs(['dump', path])).out.split('\n').filter((text) => text.includes('prefetch'));
  expect(await lines(output)).toEqual([
    '{"prefetch":"large","first":0,"last":0}',
    '{"prefetch":"dir/file","first":0,"last":0}',
    '{"prefetch":"large","first":1,"last":1}',
  ]);
  expect(await lines(meta)).toEqual([]);
  expect((await rfs(['diff', meta, output])).out).toMatch(/^\+ prefetch\n/);
  const { out } = await rfs(['flist', 'trace', '--json', '--keep', 'all', trace, '-m', meta]);
  expect(JSON.parse(out)).toMatchObject({ mounts: 1, files: 2, blocks: 3, bytes: 600_011, unknown: 1 });
  expect(await lines(meta)).toHaveLength(3);
  await writeFile(trace, 'no trace\n');
  expectOneError(await rfs(['flist', 'trace', trace, '-m', meta]), /line 1 of .* is not of a trace/);
  expect((await rfs(['flist', 'trace', '-m', meta])).code).toBe(2);
});
