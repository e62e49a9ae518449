/**
 * Reading everything once from a directory store: through a mount, and by unpacking first. And how soon a mount gives its first
 * byte from a web server on this machine.
 * Usage: tools/with-node24 bench/mount.ts [--rounds N] [--work DIRECTORY] [--write]
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../src/base/exec.ts';
import { findMount } from '../src/fuse/mount-table.ts';
import { readFigures, socketsOf } from '../src/mount/top/read-figures.ts';
import { type Bench, benchmark, emptyFiles, inTurn, nodeStart, timed } from './benchmark.ts';
import { markdownTable } from './section.ts';
import { sampleTree } from './trees.ts';

const rfs = join(import.meta.dirname, '../rfs');
const readAll = 'find "$1" -type f -print0 | xargs -0 cat | cat >/dev/null';

await benchmark(import.meta.filename, { title: 'Reading a mount for the first time', rounds: 5 }, measure);

async function measure(bench: Bench): Promise<string[]> {
  const sample = await sampleTree(bench);
  const trees = [
    [sample.name, sample.directory],
    ['20,000 files of 4 KiB', await smallFiles(bench)],
    ['a file of 1 GiB', await largeFile(bench)],
  ] as const;
  const rows: string[][] = [];
  for (const [name, tree] of trees) {
    bench.say(name);
    const flist = await pack(bench, tree);
    let requests = { read: 0, others: 0 };
    const seconds = await inTurn(bench, {
      unpack: async () => {
        const to = bench.fresh('unpacked');
        const taken = await timed(bench, () => unpackAndRead(flist, to));
        await emptyFiles(to);
        return taken;
      },
      mount: async () => {
        const to = bench.fresh('mounted');
        try {
          const taken = await timed(bench, () => mountAndRead(flist, to));
          requests = await requestsOf(mountpointIn(to));
          return taken;
        } finally {
          if (await findMount(mountpointIn(to))) await run('umount', [mountpointIn(to)]);
          await emptyFiles(to);
        }
      },
    });
    const time = (taken: number) => `${taken.toFixed(2)} s`;
    const ratio = (seconds.unpack / seconds.mount).toFixed(2);
    const { read, others } = requests;
    rows.push([name, time(seconds.unpack), time(seconds.mount), ratio, `${read}`, `${others}`]);
  }
  const { node, first } = await firstByte(bench);
  return [
    'From the start of the first command until every file was read, with an empty cache and a local directory store.',
    '',
    ...markdownTable([['', 'unpack and read', 'mount and read', 'ratio', 'READs', 'others'], ...rows]),
    '',
    'READs: requests of the kernel for contents that the mount had to answer; others: those for names, attributes and openings.',
    '',
    `\`rfs mount\` gives the first byte of a file from a web server on this machine ${ms(first)} after its start; Node.js itself takes ${ms(node)}.`,
  ];
}

function ms(seconds: number): string {
  return `${Math.round(seconds * 1000)} ms`;
}

async function pack(bench: Bench, tree: string): Promise<string> {
  const flist = bench.fresh('tree.fl');
  await run(rfs, ['pack', '-q', '-m', flist, '-s', `dir://${bench.fresh('store')}`, tree]);
  return flist;
}

async function unpackAndRead(flist: string, target: string): Promise<void> {
  await run(rfs, ['unpack', '-q', '-m', flist, target]);
  await run('sh', ['-c', readAll, 'sh', target]);
}

function mountpointIn(directory: string): string {
  return join(directory, 'mnt');
}

/** Mounts in a directory with an empty cache in it, which stays mounted. */
async function mountAndRead(flist: string, directory: string): Promise<void> {
  const mountpoint = mountpointIn(directory);
  await mkdir(mountpoint, { recursive: true });
  await run(rfs, ['mount', '-d', '-m', flist, '-c', join(directory, 'cache'), mountpoint]);
  await run('sh', ['-c', readAll, 'sh', mountpoint]);
}

/** What the kernel asked of a mount so far. */
async function requestsOf(mountpoint: string): Promise<{ read: number; others: number }> {
  const [socket] = await socketsOf(mountpoint);
  const { read, lookup, getattr, readdir, readlink, open, release } = (await readFigures(socket!)).statistics
    .counters;
  return { read, others: lookup + getattr + readdir + readlink + open + release };
}

async function smallFiles(bench: Bench): Promise<string> {
  const tree = bench.fresh('small');
  for (let directory = 0; directory < 200; directory++) {
    await mkdir(join(tree, `d${directory}`), { recursive: true });
    for (let i = 0; i < 100; i++)
      await writeFile(join(tree, `d${directory}`, `f${i}`), randomBytes(3072).toString('base64'));
  }
  return tree;
}

async function largeFile(bench: Bench): Promise<string> {
  const tree = bench.fresh('large');
  await mkdir(tree);
  const file = await open(join(tree, 'file'), 'w');
  for (let i = 0; i < 1024; i++) await file.write(randomBytes(3 << 18).toString('base64'));
  await file.close();
  return tree;
}

/** Seconds until the first byte of a mount that reads from this process, and those that Node.js takes to start and end. */
async function firstByte(bench: Bench): Promise<{ node: number; first: number }> {
  const tree = bench.fresh('one');
  await mkdir(tree);
  await writeFile(join(tree, 'file'), randomBytes(100_000));
  const [flist, store, mountpoint] = [bench.fresh('one.fl'), bench.fresh('blocks'), bench.fresh('mnt')];
  await run(rfs, ['pack', '-q', '-m', flist, '-s', `dir://${store}`, tree]);
  await mkdir(mountpoint);
  const server = createServer(async ({ url = '' }, answer) => {
    const bytes = await readFile(join(store, url)).catch(() => undefined);
    answer.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const { first } = await inTurn(bench, {
      first: async () => {
        const arguments_ = ['mount', '-m', flist, '-c', bench.fresh('cache'), '-s', address, mountpoint];
        const start = performance.now();
        const mount = spawn(rfs, arguments_, { stdio: ['ignore', 'ignore', 'inherit'] });
        while (!(await hasByte(join(mountpoint, 'file')))) await sleep(1);
        const seconds = (performance.now() - start) / 1000;
        mount.kill('SIGTERM');
        await once(mount, 'exit');
        return seconds;
      },
    });
    return { first, node: await nodeStart(bench) };
  } finally {
    server.close();
  }
}

/** By a call that waits in another thread, for this one answers the mount. */
async function hasByte(path: string): Promise<boolean> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return false;
  try {
    return (await file.read(Buffer.alloc(1), 0, 1, 0)).bytesRead === 1;
  } finally {
    await file.close();
  }
}
