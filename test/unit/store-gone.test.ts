/** A store that goes away in the middle of a command: one clear error, and when it is back a second run completes. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../src/base/exec.ts';
import { expectOneError, packedPlace, rfs } from '../../src/cli/rfs/test-rfs.ts';
import { serve } from '../../src/store/test-server.ts';

test.each([
  [
    'an unpack',
    (root: string, meta: string) => ['unpack', '-m', meta, '-c', join(root, 'cache'), join(root, 'out')],
  ],
  ['a clone', (root: string, meta: string) => ['clone', '-m', meta, '-s', `dir://${root}/copy`]],
])('a store that is gone in the middle fails %s, and when it is back a second run completes', async (_, argumentsOf) => {
  const { root, source, meta, blocks } = await packedPlace();
  await Promise.all(Array.from({ length: 30 }, (_, i) => writeFile(join(source, `${i}`), `content ${i}`)));
  await rfs(['pack', '-m', meta, '-s', `dir://${blocks}`, source]);
  let answers = 10;
  const server = await serve((request, response) => {
    if (answers-- <= 0) request.socket.destroy();
    else
      readFile(join(blocks, request.url!)).then(
        (blob) => response.end(blob),
        () => response.writeHead(404).end(),
      );
  });
  await rfs(['config', '-m', meta, 'store', 'delete', '--all']);
  await rfs(['config', '-m', meta, 'store', 'add', '-s', server.url]);
  const command = argumentsOf(root, meta);
  expectOneError(await rfs(command), /http:\/\/127\.0\.0\.1/);
  answers = Number.POSITIVE_INFINITY;
  expect(await rfs(command)).toMatchObject({ code: 0 });
  if (command[0] === 'clone') await run('diff', ['-r', blocks, join(root, 'copy')]);
  else await run('diff', ['-r', source, join(root, 'out')]);
});
