/**
 * Loaded into a process before its program (`node --import`): counts every step with which that process changes a file system
 * below KILL_BELOW, and kills it, as `kill -9` does, right before step number KILL_AT. A write is two steps: nothing of it
 * written, and half of it. Without KILL_AT the number of steps goes into the file KILL_COUNT.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

const below = process.env['KILL_BELOW']!;
const killAt = Number(process.env['KILL_AT'] ?? 0);
const countFile = process.env['KILL_COUNT'];
const { appendFileSync, readlinkSync, writeSync } = fs;
/** One count for all threads of the process. */
const steps = sharedCount();

type Method = (this: unknown, ...args: never[]) => unknown;
type Methods = Record<string, Method>;

const isWatched = (path: unknown) => {
  const given = path instanceof Uint8Array ? Buffer.from(path).toString() : `${path}`;
  const text = given.replace(/^\/proc\/self\/fd\/\d+/, pathOfDescriptor);
  return text === below || text.startsWith(below);
};

function sharedCount(): Int32Array {
  const name = 'zosbuilder kill point';
  if (isMainThread) setEnvironmentData(name, new SharedArrayBuffer(4) as never);
  return new Int32Array(getEnvironmentData(name) as unknown as SharedArrayBuffer);
}

/** What is reached by the descriptor of a directory has the path of that directory. */
function pathOfDescriptor(descriptor: string): string {
  try {
    return readlinkSync(descriptor);
  } catch {
    return descriptor;
  }
}

function step(beforeDeath: () => void = () => {}): void {
  if (Atomics.add(steps, 0, 1) + 1 !== killAt) return;
  beforeDeath();
  process.kill(process.pid, 'SIGKILL');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); // no instruction more, whenever the signal comes
}

/** Puts `around` in the place of methods of an object. */
function replace(
  target: object,
  names: readonly string[],
  around: (name: string, original: Method) => Method,
) {
  const methods = target as Methods;
  for (const name of names) if (name in methods) methods[name] = around(name, methods[name]!);
}

const byPath = [
  'rename',
  'rm',
  'unlink',
  'rmdir',
  'mkdir',
  'mkdtemp',
  'link',
  'symlink',
  'chmod',
  'lchmod',
].concat(['chown', 'lchown', 'utimes', 'lutimes', 'truncate', 'copyFile', 'writeFile', 'appendFile']);

/** A call whose first or second argument is a watched path is a step. */
const watchingPaths = (_: string, original: Method): Method =>
  function (...args) {
    if (isWatched(args[0]) || isWatched(args[1])) step();
    return original.apply(this, args);
  };

const opensForWriting = (flags: unknown) =>
  typeof flags === 'string' ? !/^r$|^rs$/.test(flags) : typeof flags === 'number' && (flags & 3) !== 0;

const watchedFiles = new WeakSet<object>();
const watchedDescriptors = new Set<number>();

function isWatchedFile(file: unknown): boolean {
  return typeof file === 'number' ? watchedDescriptors.has(file) : watchedFiles.has(file as object);
}

/** A write that is torn: half of the bytes reach the file. */
function tear(file: unknown, data: unknown, position: unknown): void {
  const parts = (Array.isArray(data) ? data : [data]) as (Uint8Array | string)[];
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  const descriptor = typeof file === 'number' ? file : (file as { fd: number }).fd;
  const at = typeof position === 'number' ? position : null;
  writeSync(descriptor, bytes, 0, bytes.length >> 1, at);
}

const ofFile = ['sync', 'datasync', 'chmod', 'chown', 'utimes', 'truncate'];
const writes = ['write', 'writeFile', 'writev', 'appendFile'];

function watchHandles(prototype: object): void {
  replace(
    prototype,
    ofFile,
    (_, original) =>
      function (...args) {
        if (isWatchedFile(this)) step();
        return original.apply(this, args);
      },
  );
  replace(
    prototype,
    writes,
    (name, original) =>
      function (...args) {
        if (isWatchedFile(this)) {
          step();
          step(() => tear(this, args[0], name === 'writev' ? args[1] : args[3]));
        }
        return original.apply(this, args);
      },
  );
}

function watchSynchronous(): void {
  replace(
    fs,
    byPath.map((name) => `${name}Sync`),
    watchingPaths,
  );
  replace(
    fs,
    ['openSync'],
    (_, original) =>
      function (...args) {
        const watched = isWatched(args[0]) && opensForWriting(args[1]);
        if (watched) step();
        const descriptor = original.apply(this, args) as number;
        if (watched) watchedDescriptors.add(descriptor);
        else watchedDescriptors.delete(descriptor);
        return descriptor;
      },
  );
  replace(
    fs,
    ['fsyncSync', 'fdatasyncSync', 'fchmodSync', 'fchownSync', 'futimesSync', 'ftruncateSync'],
    (_, original) =>
      function (...args) {
        if (isWatchedFile(args[0])) step();
        return original.apply(this, args);
      },
  );
  replace(
    fs,
    ['writeSync', 'writevSync'],
    (name, original) =>
      function (...args) {
        if (isWatchedFile(args[0])) {
          step();
          step(() => tear(args[0], args[1], name === 'writevSync' ? args[2] : args[4]));
        }
        return original.apply(this, args);
      },
  );
}

async function watchPromises(): Promise<void> {
  const some = await fs.promises.open('/dev/null', 'r');
  watchHandles(Object.getPrototypeOf(some));
  await some.close();
  replace(fs.promises, byPath, watchingPaths);
  replace(
    fs.promises,
    ['open'],
    (_, original) =>
      async function (...args) {
        const isOurs = isWatched(args[0]);
        if (isOurs && opensForWriting(args[1])) step();
        const file = (await original.apply(this, args)) as object;
        if (isOurs) watchedFiles.add(file);
        return file;
      },
  );
}

/** SQLite writes by itself; what is asked of it is a step. */
function watchSqlite(): void {
  const statement = Object.getPrototypeOf(new DatabaseSync(':memory:').prepare('SELECT 1')) as object;
  const writing = (_: string, original: Method): Method =>
    function (...args) {
      step();
      return original.apply(this, args);
    };
  replace(DatabaseSync.prototype, ['exec'], writing);
  replace(statement, ['run'], writing);
}

/** What the C library is asked by way of koffi. */
async function watchLibc(): Promise<void> {
  const { default: koffi } = await import('koffi');
  const changing = /lsetxattr|mknod|utimensat|syncfs|fallocate|copy_file_range/;
  replace(koffi, ['load'], (_, load) => (...args) => {
    const library = load(...args) as { func: Method };
    const func = (...signature: never[]) => {
      const call = library.func(...signature) as Method & { async: Method };
      if (!changing.test(`${signature[0]}`)) return call;
      const counted =
        (way: Method) =>
        (...values: never[]) => {
          step();
          return way(...values);
        };
      return Object.assign(counted(call), { async: counted(call.async) });
    };
    return { func };
  });
}

await watchPromises();
watchSynchronous();
watchSqlite();
await watchLibc();
syncBuiltinESMExports();
if (countFile !== undefined && isMainThread)
  process.on('exit', () => appendFileSync(countFile, `${steps[0]}\n`));
