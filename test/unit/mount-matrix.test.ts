/** What goes wrong under a mount, by each way that it serves files: its readers get what was packed, or an error and the log a reason. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  cp,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { run } from '../../src/base/exec.ts';
import { formatTable } from '../../src/base/table.ts';
import { findMount } from '../../src/fuse/mount-table.ts';
import { serverOf } from '../../src/mount/life/upgrade.ts';
import { requireFuse } from '../../src/mount/test-flist.ts';
import { isBlockId } from '../../src/store/store.ts';
import { root as project } from './markdown.ts';

beforeAll(requireFuse);

const program = join(project, 'src/cli/rfs.ts');
const modes = ['no-open', 'cached', 'passthrough'] as const;
type Mode = (typeof modes)[number];

const contents: Readonly<Record<string, Buffer>> = {
  small: randomBytes(3000),
  block: randomBytes(524_288),
  large: randomBytes(2_600_000),
};

/** What a reader of all files gets: their names, with the error of those that cannot be read. */
const allRight = 'right';

interface Place {
  readonly root: string;
  readonly mode: Mode;
  readonly at: (name: string) => string;
  readonly mount: (...options: string[]) => Promise<void>;
  readonly read: () => Promise<string>;
  readonly log: () => Promise<string>;
}

/** The flist that all mounts show, and its blocks. */
let packed: string;

beforeAll(async () => {
  packed = await mkdtemp(join(tmpdir(), 'zosbuilder-matrix-'));
  await mkdir(join(packed, 'source'));
  for (const [name, content] of Object.entries(contents))
    await writeFile(join(packed, 'source', name), content);
  await rfs('pack', '-q', '-m', join(packed, 't.fl'), '-s', `dir://${packed}/blocks`, join(packed, 'source'));
});

afterAll(() => rm(packed, { recursive: true, force: true }));

/** Two replicas of the store, `first` and `second`, and a directory to mount on. */
async function makePlace(mode: Mode, { onTestFinished }: TestContext): Promise<Place> {
  const root = await mkdtemp(join(packed, 'place-'));
  const at = (name: string) => join(root, name);
  await mkdir(at('mnt'));
  for (const store of ['first', 'second']) await cp(join(packed, 'blocks'), at(store), { recursive: true });
  await cp(join(packed, 't.fl'), at('t.fl'));
  onTestFinished(async () => {
    await run('sh', ['-c', 'umount -l "$1/mnt"; umount -l "$1/cache"; true', 'sh', root]);
  });
  return {
    root,
    mode,
    at,
    mount: (...options) => {
      const stores = options.includes('-s')
        ? []
        : ['first', 'second'].flatMap((name) => ['-s', `dir://${at(name)}`]);
      return rfs(
        'mount',
        '-d',
        '-l',
        at('log'),
        '-m',
        at('t.fl'),
        '-c',
        at('cache'),
        '--io',
        mode,
        ...stores,
        ...options,
        at('mnt'),
      );
    },
    read: () => readAll(at('mnt')),
    log: () => readFile(at('log'), 'utf8'),
  };
}

async function rfs(...args: string[]): Promise<void> {
  await run(process.execPath, [program, ...args], { timeout: 50_000 });
}

/** Reads every file whole, without what the kernel remembers of it. */
async function readAll(directory: string): Promise<string> {
  const outcomes = await Promise.all(
    Object.entries(contents).map(async ([name, content]) => {
      await run('dd', [`if=${join(directory, name)}`, 'iflag=nocache', 'count=0', 'status=none']);
      const seen = await readFile(join(directory, name)).catch((error: NodeJS.ErrnoException) => error.code!);
      if (typeof seen === 'string') return `${name}: ${seen}`;
      return seen.equals(content) ? undefined : `${name}: WRONG BYTES`;
    }),
  );
  const bad = outcomes.filter((outcome) => outcome !== undefined);
  return bad.length === 0 ? allRight : bad.join(', ');
}

/** Does something to every file below a directory. */
async function toEveryFile(
  directory: string,
  change: (path: string, size: number) => Promise<void>,
): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    try {
      await change(path, (await stat(path)).size);
    } catch (error) {
      // A server that still writes gives its files their names meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

async function flip(path: string, size: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const place = Math.floor(size / 2);
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, place);
    await file.write(Buffer.of(buffer[0]! ^ 4), 0, 1, place);
  } finally {
    await file.close();
  }
}

const cut = (path: string, size: number) => truncate(path, Math.floor(size / 2));

/** The end of a file as a power cut leaves it when the size reached the disk and the bytes did not. */
async function zeroTail(path: string, size: number): Promise<void> {
  await truncate(path, Math.floor(size / 3));
  await truncate(path, size);
}

const blocksOf = async (directory: string) =>
  (await readdir(directory, { recursive: true })).filter((name) => isBlockId(basename(name)));

/** What happens; returns what a reader got in the end. */
const incidents: Readonly<Record<string, (place: Place) => Promise<string>>> = {
  nothing: async ({ mount, read }) => {
    await mount();
    return read();
  },
  ...Object.fromEntries(
    Object.entries({
      'a bit flipped': flip,
      'cut short': cut,
      'tail of zeros': zeroTail,
      removed: (path: string) => rm(path),
    }).flatMap(([name, change]) => [
      [
        `cache files: ${name}`,
        async ({ mount, read, at }: Place) => {
          await mount();
          expect(await read()).toBe(allRight);
          await toEveryFile(at('cache'), change);
          return read();
        },
      ],
      [
        `cache files, before the mount: ${name}`,
        async ({ mount, read, at }: Place) => {
          await mount();
          expect(await read()).toBe(allRight);
          await run('umount', ['-l', at('mnt')]);
          await toEveryFile(at('cache'), change);
          await mount();
          return read();
        },
      ],
      [
        `first replica: ${name}`,
        async ({ mount, read, at }: Place) => {
          await toEveryFile(at('first'), change);
          await mount();
          return read();
        },
      ],
    ]),
  ),
  'both replicas: a bit flipped': async ({ mount, read, at, log }) => {
    for (const store of ['first', 'second']) await toEveryFile(at(store), flip);
    await mount();
    const outcome = await read();
    expect(outcome).toBe('small: EIO, block: EIO, large: EIO');
    const lines = await log();
    const blocks = await blocksOf(at('first'));
    expect(
      blocks.some((block) => lines.includes(basename(block))),
      'the log names a block',
    ).toBe(true);
    expect(lines).toContain('dir://');
    return allRight;
  },
  'both replicas: gone, and back': async ({ mount, read, at }) => {
    await mount();
    for (const store of ['first', 'second']) await rename(at(store), at(`${store} away`));
    expect(await read()).toMatch(/^small: (EIO|ETIMEDOUT), block: (EIO|ETIMEDOUT), large: (EIO|ETIMEDOUT)$/);
    for (const store of ['first', 'second']) await rename(at(`${store} away`), at(store));
    return read();
  },
  'the only store hangs': async ({ mount, read, at }) => {
    await mount('-s', `fault+dir://${at('first')}?fault=get:hang&timeout=300ms&retries=0`);
    expect(await read()).toBe('small: ETIMEDOUT, block: ETIMEDOUT, large: ETIMEDOUT');
    return allRight;
  },
  'the first replica hangs': async ({ mount, read, at }) => {
    await mount(
      '-s',
      `fault+dir://${at('first')}?fault=get:hang&timeout=300ms`,
      '-s',
      `dir://${at('second')}`,
    );
    return read();
  },
  'the disk of the cache is full': async ({ mount, read, at }) => {
    await mkdir(at('cache'));
    await run('mount', ['-t', 'tmpfs', '-o', 'size=700k', 'tmpfs', at('cache')]);
    await mount();
    expect(await read()).toBe(allRight);
    return read();
  },
  'the cache cannot be written': async ({ mount, read, at }) => {
    await mkdir(at('cache'));
    await run('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', at('cache')]);
    await mount();
    return read();
  },
  'the server is killed while all is read': async ({ mount, at }) => {
    await mount('-s', `fault+dir://${at('first')}?fault=get:delay=20ms`);
    const sums = spawn(
      'sh',
      [
        '-c',
        'cd "$1" && for i in $(seq 20); do sha256sum *; dd if=large iflag=nocache count=0 status=none; done',
        'sh',
        at('mnt'),
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const printed = text(sums.stdout);
    const errors = text(sums.stderr);
    for (let kill = 0; kill < 3 && sums.exitCode === null; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 120));
      process.kill(serverOf(Number((await findMount(at('mnt')))!.source))!, 'SIGKILL');
    }
    const lines = (await printed).trim().split('\n');
    expect(await errors).toBe('');
    const right = Object.keys(contents)
      .sort()
      .map((name) => `${sha256(contents[name]!)}  ${name}`);
    expect([...new Set(lines)].sort()).toEqual([...right].sort());
    return allRight;
  },
};

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = '';
  for await (const part of stream) all += part;
  return all;
}

/** Incidents and ways that ended well. */
const fine = new Set<string>();
afterAll(() => {
  const mark = (incident: string, mode: Mode) => (fine.has(`${incident} ${mode}`) ? '✓' : '✗');
  const rows = Object.keys(incidents).map((name) => [name, ...modes.map((mode) => mark(name, mode))]);
  console.log(['mount matrix:', ...formatTable([['incident', ...modes], ...rows])].join('\n'));
});

// Each starts some processes and waits for them, in places of its own.
describe.each(modes)('a mount that serves by %s', { concurrent: true }, (mode) => {
  for (const [name, incident] of Object.entries(incidents))
    test(name, async (context) => {
      expect(await incident(await makePlace(mode, context))).toBe(allRight);
      fine.add(`${name} ${mode}`);
    });
});
