/** Every command that writes blocks, caches, flists or files is killed in its middle, at each of its steps. */
import { spawn } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadBlake2b } from '../../src/base/blake2b.ts';
import { sha256 } from '../../src/base/digest.ts';
import { run } from '../../src/base/exec.ts';
import { forEachParallel } from '../../src/base/parallel.ts';
import { formatTable } from '../../src/base/table.ts';
import { readManifest } from '../../src/flist/manifest/manifest.ts';
import { isBlockId } from '../../src/store/store.ts';
import { root as project } from './markdown.ts';

/** Where one command after the other is killed; two lanes, so that both cores have something to do. */
interface Lane {
  readonly root: string;
  readonly source: string;
  readonly meta: string;
  readonly blocks: string;
  readonly cache: string;
  readonly target: string;
  /** Where `clone` puts blocks and the new flist. */
  readonly copy: string;
}

interface Operation {
  readonly name: string;
  readonly arguments: (lane: Lane) => string[];
  /** Only steps that change something whose path begins like this count. */
  readonly below: (lane: Lane) => string;
  /** Makes the state before it out of a lane with the tree packed. */
  readonly prepare: (lane: Lane) => Promise<void>;
}

const changed = 'this content is new';

const operations: readonly Operation[] = [
  {
    name: 'pack',
    arguments: ({ meta, blocks, source }) => ['pack', '-m', meta, '-s', `dir://${blocks}`, source],
    below: ({ root }) => root,
    prepare: ({ source }) => writeFile(join(source, 'dir/file'), changed),
  },
  {
    name: 'pack, by threads',
    arguments: ({ meta, blocks, source }) => ['pack', '-m', meta, '-s', `dir://${blocks}`, source],
    below: ({ root }) => root,
    prepare: async ({ source }) => {
      const names = Array.from({ length: 300 }, (_, i) => `file ${i}`);
      await Promise.all(names.map((name) => writeFile(join(source, name), name)));
      await writeFile(
        join(source, 'large'),
        createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(9 << 20)),
      );
    },
  },
  {
    name: 'cache write',
    arguments: ({ meta, cache, target }) => ['unpack', '-m', meta, '-c', cache, target],
    below: ({ cache }) => cache,
    prepare: async () => {},
  },
  {
    name: 'unpack',
    arguments: ({ meta, target }) => ['unpack', '-m', meta, target],
    below: ({ target }) => target,
    prepare: async () => {},
  },
  {
    name: 'unpack, by threads',
    arguments: ({ meta, target }) => ['unpack', '-m', meta, target],
    below: ({ target }) => target,
    prepare: async ({ source, meta, blocks }) => {
      await writeFile(join(source, 'huge'), Buffer.alloc(17 << 20, 'enough to start threads for; '));
      await rfs(['pack', '-m', meta, '-s', `dir://${blocks}`, source]);
    },
  },
  {
    name: 'clone',
    arguments: ({ meta, copy }) => [
      'clone',
      '-m',
      meta,
      '-s',
      `dir://${copy}/blocks`,
      '-o',
      `${copy}/new.fl`,
    ],
    below: ({ copy }) => copy,
    prepare: async () => {},
  },
  {
    name: 'clone, by threads',
    arguments: ({ meta, copy }) => ['clone', '-m', meta, '-s', `dir://${copy}/blocks`],
    below: ({ copy }) => copy,
    prepare: async ({ source, meta, blocks }) => {
      const names = Array.from({ length: 300 }, (_, i) => `file ${i}`);
      await Promise.all(names.map((name) => writeFile(join(source, name), name)));
      await rfs(['pack', '-m', meta, '-s', `dir://${blocks}`, source]);
    },
  },
  {
    name: 'gc',
    arguments: ({ meta, blocks }) => ['gc', '-s', `dir://${blocks}`, '--older-than', '0', '--delete', meta],
    below: ({ blocks }) => blocks,
    prepare: async ({ source, meta, blocks }) => {
      await cp(meta, `${meta}.kept`);
      await Promise.all([0, 1, 2, 3].map((i) => writeFile(join(source, `garbage ${i}`), `${i}`)));
      await rfs(['pack', '-m', meta, '-s', `dir://${blocks}`, source]);
      await cp(`${meta}.kept`, meta);
    },
  },
];

/** Whether all steps are tried; it takes minutes. */
const everyStep = process.env['ZOSBUILDER_KILL_ALL'] === '1';
const mostSteps = everyStep ? Number.POSITIVE_INFINITY : 12;
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1000));

const program = join(project, 'src/cli/rfs.ts');
const killPoint = join(project, 'test/unit/kill-point.ts');
const blake2b = await loadBlake2b();
/** Memory where there is some: thousands of files are made and removed, and what a killed process wrote does not depend on the disk. */
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
let ground: string;
let lanes: readonly Lane[];
const table: string[][] = [['operation', 'steps', 'killed', 'survived', 'second run']];

beforeAll(async () => {
  ground = await mkdtemp(join(scratch, 'zosbuilder-kill-'));
  lanes = await Promise.all(['a', 'b'].map(makeLane));
});

afterAll(async () => {
  await rm(ground, { recursive: true, force: true });
  const lines = formatTable(table, ['left', 'right', 'right', 'right']);
  console.log([`kill matrix, seed ${seed}:`, ...lines].join('\n'));
});

test('half a block under its right name would be noticed, in a store and in a cache', async () => {
  const [lane] = lanes;
  const [id] = [...(await keysOf(lane!.meta)).keys()];
  for (const path of [join('copy', id!), join('cache', id!.slice(0, 2), id!.slice(2, 4), id!)]) {
    const blob = await readFile(join(lane!.blocks, id!.slice(0, 2), id!));
    await mkdir(dirname(join(lane!.root, path)), { recursive: true });
    await writeFile(join(lane!.root, path), blob.subarray(0, blob.length >> 1));
    await expect(expectSound(lane!, 'half a block')).rejects.toThrow(path);
    await rm(join(lane!.root, path));
  }
});

test.each(operations)('$name, killed at any step, leaves nothing wrong, and a second run completes', {
  timeout: everyStep ? 600_000 : 60_000,
}, async (operation) => {
  const trials = await Promise.all(lanes.map((lane) => trialOf(operation, lane)));
  const { steps } = trials[0]!;
  const chosen = choose(steps);
  const queue = chosen.values();
  let killed = 0;
  // Not `Promise.all`: when one lane fails, the next operation must not find the other still at work.
  await forEachParallel(trials, trials.length, async (trial, failed) => {
    for (const step of queue) {
      if (failed.aborted) return;
      if (await killOnce(trial, step)) killed++;
    }
  });
  expect(killed).toBeGreaterThan(chosen.length / 2);
  const survived = chosen.length - killed;
  table.push([operation.name, `${steps}`, `${killed}`, `${survived}`, 'same as undisturbed']);
});

/** Evenly over all steps, from a random one on. */
function choose(steps: number): number[] {
  const stride = Math.max(1, steps / mostSteps);
  const first = (seed % 100) / 100;
  return Array.from({ length: Math.min(steps, mostSteps) }, (_, i) => 1 + Math.floor((i + first) * stride));
}

interface Trial {
  readonly operation: Operation;
  readonly lane: Lane;
  readonly steps: number;
  /** What the lane holds before the operation, kept beside it. */
  readonly before: string;
  /** What an undisturbed run makes of it. */
  readonly expected: Map<string, string>;
  /** Flists as they were before and as they are afterwards, by name. */
  readonly flists: ReadonlyMap<string, readonly string[]>;
}

/** An undisturbed run: how many steps it has and what it leaves. */
async function trialOf(operation: Operation, lane: Lane): Promise<Trial> {
  const before = `${lane.root}.before`;
  await restore(`${lane.root}.packed`, lane.root);
  await operation.prepare(lane);
  await rm(before, { recursive: true, force: true });
  await restore(lane.root, before);
  const flistsBefore = flistsIn(lane.root);
  const count = `${lane.root}.count`;
  await rm(count, { force: true });
  await rfs(operation.arguments(lane), { KILL_COUNT: count, KILL_BELOW: operation.below(lane) });
  const steps = Number(await readFile(count, 'utf8'));
  const flists = new Map<string, string[]>();
  for (const [name, digest] of [...flistsBefore, ...flistsIn(lane.root)])
    flists.set(name, [...(flists.get(name) ?? []), digest]);
  return { operation, lane, steps, before, expected: snapshot(lane.root), flists };
}

/** Kills the operation at a step, looks at what is left, and runs it once more. @returns whether it died */
async function killOnce(
  { operation, lane, before, expected, flists }: Trial,
  step: number,
): Promise<boolean> {
  const what = `${operation.name} killed at step ${step} (seed ${seed})`;
  await rm(lane.root, { recursive: true });
  await restore(before, lane.root);
  const died = await killedAt(operation, lane, step);
  await waitForOrphans(lane);
  await expectSound(lane, what);
  for (const [name, digest] of flistsIn(lane.root))
    expect(flists.get(name), `${what}: ${name}`).toContain(digest);
  // An unpacking that goes on does not fetch what it has.
  if (operation.name === 'cache write') await rm(lane.target, { recursive: true, force: true });
  await rfs(operation.arguments(lane));
  expect(snapshot(lane.root), what).toEqual(expected);
  return died;
}

async function killedAt(operation: Operation, lane: Lane, step: number): Promise<boolean> {
  const child = spawn(process.execPath, ['--import', killPoint, program, ...operation.arguments(lane)], {
    env: environment({ KILL_AT: `${step}`, KILL_BELOW: operation.below(lane) }),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const errors: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (signal !== 'SIGKILL') expect(code, Buffer.concat(errors).toString()).toBe(0);
  return signal === 'SIGKILL';
}

/** Processes that a killed command had started end by themselves. */
async function waitForOrphans({ root }: Lane): Promise<void> {
  const script =
    'for p in $(grep -lsF -- "$1/" /proc/[0-9]*/cmdline | cut -d/ -f3); do [ $p = $$ ] || tail --pid=$p -f /dev/null; done';
  await run('sh', ['-c', script, 'sh', root], { timeout: 20_000, accept: [0, 1] });
}

/** No wrong block under a right name in a store, and none in a cache. */
async function expectSound(lane: Lane, what: string): Promise<void> {
  const keys = await keysOf(lane.meta);
  for (const path of namesBelow(lane.root)) {
    const name = basename(path);
    // Whole files of a cache have names of their own; what becomes of them is in cache-kill.test.ts.
    if (!isBlockId(name) || path.startsWith('cache/files/')) continue;
    const digest = blake2b(readFileSync(join(lane.root, path)));
    expect(digest, `${what}: ${path}`).toBe(path.startsWith('cache/') ? keys.get(name) : name);
  }
  for (const id of keys.keys()) lstatSync(join(lane.blocks, id.slice(0, 2), id));
}

/** What lies below a directory. Not by promises, which cost five times as much for many small files. */
function namesBelow(root: string): string[] {
  return (readdirSync(root, { recursive: true }) as string[]).sort();
}

async function keysOf(meta: string): Promise<Map<string, string>> {
  return new Map([...(await readManifest(meta)).blockRefs()].map(([, { id, key }]) => [id, key]));
}

function flistsIn(root: string): [name: string, digest: string][] {
  const flists = namesBelow(root).filter((name) => name.endsWith('.fl'));
  return flists.map((name) => [name, sha256(readFileSync(join(root, name)))]);
}

/** Everything below a directory in text form, without what an interrupted write left. */
function snapshot(root: string): Map<string, string> {
  const entries = new Map<string, string>();
  for (const path of namesBelow(root)) {
    if (/^\..*\.(tmp|swept)(-journal)?$/.test(basename(path)) || path.startsWith('cache/state')) continue;
    const found = lstatSync(join(root, path));
    const content = found.isFile() ? sha256(readFileSync(join(root, path))) : '';
    const target = found.isSymbolicLink() ? readlinkSync(join(root, path)) : '';
    const time = path.startsWith('target/') ? found.mtimeMs : '';
    entries.set(path, `${found.mode.toString(8)} ${time} ${content}${target}`);
  }
  return entries;
}

async function makeLane(name: string): Promise<Lane> {
  const root = join(ground, name);
  const inside = (entry: string) => join(root, entry);
  const lane: Lane = {
    root,
    source: inside('source'),
    meta: inside('tree.fl'),
    blocks: inside('blocks'),
    cache: inside('cache'),
    target: inside('target'),
    copy: inside('copy'),
  };
  await mkdir(join(lane.source, 'dir/empty'), { recursive: true });
  await writeFile(join(lane.source, 'dir/file'), 'the content');
  await writeFile(join(lane.source, 'dir/executable'), '#!/bin/sh\n', { mode: 0o755 });
  await writeFile(join(lane.source, 'large'), Buffer.alloc(1_200_000, 'more than two blocks; '));
  await symlink('file', join(lane.source, 'dir/link'));
  await mkdir(lane.copy);
  await rfs(['pack', '-m', lane.meta, '-s', `dir://${lane.blocks}`, lane.source]);
  // The flist that clone replaces.
  await rfs(['clone', '-m', lane.meta, '-s', `dir://${root}/elsewhere`, '-o', `${lane.copy}/new.fl`]);
  await restore(root, `${root}.packed`);
  return lane;
}

/** Copies a directory with its times. */
async function restore(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await run('cp', ['-a', from, to]);
}

async function rfs(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
  const preload = env['KILL_BELOW'] === undefined ? [] : ['--import', killPoint];
  await run(process.execPath, [...preload, program, ...args], {
    env: environment(env),
    timeout: 30_000,
  });
}

/** Compiled code is kept for the next run: with more than a hundred runs that is half of their time. */
function environment(variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...process.env, NODE_COMPILE_CACHE: join(ground, 'compiled'), ...variables };
}
