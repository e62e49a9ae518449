import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { findMount } from '../fuse/mount-table.ts';
import { makePlaces, packSource, requireFuse, sh } from './test-flist.ts';

beforeAll(requireFuse);

const room = (file: string) => JSON.stringify(join(import.meta.dirname, file));

/** What a program that is bundled into one file does: the same file is the main thread and the worker. */
const entry = `
  import { isMainThread } from 'node:worker_threads';
  if (!isMainThread) await import(${room('worker.ts')});
  else {
    const { mountFlist } = await import(${room('mount-flist.ts')});
    const { serveUntilUnmounted } = await import(${room('life/serve.ts')});
    const [manifest, mountpoint, cache] = process.argv.slice(2);
    const mounted = await mountFlist({ manifest, mountpoint, cache, worker: new URL(import.meta.url) });
    process.send('mounted');
    process.disconnect();
    await serveUntilUnmounted(mounted, console.error);
  }`;

test('one bundled file without native addons mounts, and unmounts when it is told to end', async () => {
  const places = await makePlaces();
  await writeFile(join(places.source, 'file'), randomBytes(1_000_000));
  await packSource(places);
  const bundle = join(places.source, '..', 'bundle.mjs');
  await build({
    stdin: { contents: entry, resolveDir: import.meta.dirname },
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['snappy', 'sodium-native', 'koffi'],
    logLevel: 'error',
  });
  const server = spawn(process.execPath, [bundle, places.manifest, places.mountpoint, places.cache], {
    cwd: '/',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  onTestFinished(async () => {
    server.kill('SIGKILL');
    await sh('! mountpoint -q $1 || umount -l $1', places.mountpoint);
  });
  await once(server, 'message');
  await sh('cmp $1/file $2/file', places.mountpoint, places.source);
  server.kill('SIGTERM');
  expect(await once(server, 'exit')).toEqual([0, null]);
  expect(await findMount(places.mountpoint)).toBeUndefined();
});
