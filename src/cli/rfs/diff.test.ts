import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packedPlace, rfs } from './test-rfs.ts';

test('says what is another in a newer flist, and by its exit code whether anything is', async () => {
  const { root, source, meta, store } = await packedPlace();
  expect(await rfs(['diff', meta, meta])).toEqual({ code: 0, out: '', error: '' });
  await writeFile(join(source, 'new'), 'a new file');
  await chmod(join(source, 'large'), 0o600);
  const newer = join(root, 'new.fl');
  await rfs(['pack', '-m', newer, '-s', store, source]);
  await rfs(['config', '-m', newer, 'tag', 'add', '-t', 'version=2']);
  const { code, out } = await rfs(['diff', meta, newer]);
  expect(code).toBe(1);
  const lines = out.split('\n').filter((line) => !line.startsWith('~ /:')); // the root's own time
  expect(lines).toEqual([
    '+ tag version',
    '~ /large: mode',
    '+ /new',
    expect.stringMatching(/^1 added, 0 removed, \d changed; 1 blocks to fetch, 10 B$/),
    '',
  ]);
  const json = JSON.parse((await rfs(['diff', '--json', newer, meta])).out);
  expect(json.settings).toEqual([{ change: 'removed', setting: 'tag', tag: 'version' }]);
  expect(json.entries).toContainEqual({ change: 'removed', path: 'new', kind: 'file' });
  expect(json.summary).toMatchObject({ removed: 1, toFetch: { blocks: 0, bytes: 0 } });
});

test('what goes wrong is 2, also a manifest that is not there', async () => {
  const { meta } = await packedPlace();
  expect((await rfs(['diff', meta, '/absent.fl'])).code).toBe(2);
  expect((await rfs(['diff', meta])).code).toBe(2);
  expect((await rfs(['diff', '--help'])).code).toBe(0);
});
