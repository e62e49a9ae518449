import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { describeError } from '../../base/errors.ts';
import { run } from '../../base/exec.ts';
import { isBlockId } from '../store.ts';
import { noiseBlock, someBlocks } from '../test-blocks.ts';
import { testDirectory } from '../test-directory.ts';
import { verifyId } from '../wrappers/verify.ts';
import { DirStore } from './dir.ts';
import { DirWriter } from './dir-writer.ts';

const isTemporary = (name: string) => name.startsWith('.') && name.endsWith('.tmp');

/** The names of all files below a directory. */
async function namesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

/** A writer whose syncs end when the test says so. */
async function manual() {
  const root = await testDirectory();
  const syncs: PromiseWithResolvers<void>[] = [];
  let isFree = false;
  const syncFileSystem = () => {
    const sync = Promise.withResolvers<void>();
    syncs.push(sync);
    if (isFree) sync.resolve();
    return sync.promise;
  };
  const writer = new DirWriter(root, async () => ({ syncFileSystem }));
  const reached = async (count: number) => {
    while (syncs.length < count) await setImmediate();
    return syncs[count - 1]!;
  };
  /** Ends all syncs, those to come at once. */
  const free = () => {
    isFree = true;
    for (const { resolve } of syncs) resolve();
  };
  return { root, writer, syncs, reached, free };
}

test('a file gets its name after its bytes are durable, and counts as written after its name is', async () => {
  const { root, writer, reached } = await manual();
  let isWritten = false;
  const written = writer.write(join(root, 'ab', 'file'), Buffer.from('bytes')).then(() => {
    isWritten = true;
  });
  const first = await reached(1);
  expect((await namesIn(root)).map(isTemporary)).toEqual([true]);
  first.resolve();
  const second = await reached(2);
  expect(await namesIn(root)).toEqual(['file']);
  expect(isWritten).toBe(false);
  second.resolve();
  await written;
});

test('files that are written at the same time share their syncs', async () => {
  const { root, writer, syncs, reached, free } = await manual();
  const first = writer.write(join(root, 'first'), Buffer.from('bytes'));
  await reached(1);
  const names = Array.from({ length: 50 }, (_, index) => `file ${index}`);
  const others = names.map((name) => writer.write(join(root, name), Buffer.from(name)));
  while ((await namesIn(root)).length < 51) await setImmediate();
  free();
  await Promise.all([first, ...others]);
  expect(syncs.length).toBeLessThan(60); // and not two for each
  expect((await namesIn(root)).sort()).toEqual(['first', ...names].sort());
});

test('a failed sync fails the write, and leaves nothing', async () => {
  const { root, writer, reached } = await manual();
  const written = writer.write(join(root, 'file'), Buffer.from('bytes')).catch((error) => error);
  (await reached(1)).reject(new Error('the disk is gone'));
  expect(await written).toMatchObject({ message: 'the disk is gone' });
  expect(await namesIn(root)).toEqual([]);
});

test('who is told to stop before the file has its name leaves nothing', async () => {
  const { root, writer, reached } = await manual();
  const stop = new AbortController();
  const written = writer.write(join(root, 'file'), Buffer.from('bytes'), stop.signal).catch((error) => error);
  const sync = await reached(1);
  stop.abort(new Error('told to stop'));
  sync.resolve();
  expect(await written).toMatchObject({ message: 'told to stop' });
  expect(await namesIn(root)).toEqual([]);
});

test('without the C library files are written all the same', async () => {
  const root = await testDirectory();
  const writer = new DirWriter(root, async () => undefined);
  await Promise.all(
    ['a', 'b'].map((name) => writer.write(join(root, 'new directory', name), Buffer.from(name))),
  );
  expect((await namesIn(root)).sort()).toEqual(['a', 'b']);
});

test('a full disk is one clear error that names the store, and leaves no half block', async () => {
  const parent = await testDirectory();
  const root = join(parent, 'blocks');
  await mkdir(root);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', root], { package: 'mount' });
  onTestFinished(async () => {
    await run('umount', ['-l', root]);
  });
  const store = new DirStore(root);
  const blocks = Array.from({ length: 30 }, () => noiseBlock(90_000));
  const results = await Promise.allSettled(blocks.map(({ id, blob }) => store.put(id, blob)));
  const refused = results.filter((result) => result.status === 'rejected');
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeLessThan(30);
  for (const { reason } of refused) {
    expect(reason).toMatchObject({ kind: 'failed', hint: expect.stringContaining('room') });
    expect(describeError(reason)).toMatch(
      /^dir:\/\/\S+\/blocks: cannot write block [0-9a-f]{64}: ENOSPC: no space left/,
    );
  }
  const names = await namesIn(root);
  expect(names.length).toBe(30 - refused.length);
  for (const name of names) await verifyId(name, await store.get(name));
});

describe('a process that is killed', () => {
  const room = (file: string) => JSON.stringify(join(import.meta.dirname, file));
  const program = (root: string) => `
    import { DirStore } from ${room('dir.ts')};
    import { someBlocks } from ${room('../test-blocks.ts')};
    const store = new DirStore(${JSON.stringify(root)});
    const blocks = someBlocks(400);
    const work = async () => {
      for (let block = blocks.shift(); block; block = blocks.shift()) {
        await store.put(block.id, block.blob);
        console.log(block.id);
      }
    };
    await Promise.all(Array.from({ length: 32 }, work));`;

  test.each([
    1, 60, 200,
  ])('after %i blocks leaves those whole, and otherwise only temporary names', async (count) => {
    const root = await testDirectory();
    const writer = spawn(process.execPath, ['--input-type=module', '-e', program(root)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const gone = once(writer, 'exit');
    const done: string[] = [];
    for await (const line of createInterface(writer.stdout)) {
      done.push(line);
      if (done.length === count) writer.kill('SIGKILL');
    }
    expect(await gone).toEqual([null, 'SIGKILL']);
    const names = await namesIn(root);
    const held = names.filter(isBlockId);
    expect(names.filter((name) => !isBlockId(name) && !isTemporary(name))).toEqual([]);
    expect(held).toEqual(expect.arrayContaining(done));
    const store = new DirStore(root);
    for (const id of held) await verifyId(id, await store.get(id));

    const listed: string[] = [];
    for await (const id of store.list()) listed.push(id);
    expect(listed.sort()).toEqual(held.sort());
    await Promise.all(someBlocks(400).map(({ id, blob }) => store.put(id, blob)));
    expect((await namesIn(root)).filter(isBlockId).length).toBe(400);
  });
});
