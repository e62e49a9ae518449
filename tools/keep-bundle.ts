/** Keeps a bundle of `rfs` beside the packages, for `with-bundle.cjs`. Does nothing while another process is doing it. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Bundle, bundleRfs, compileOnly } from './bundle.ts';

const root = join(import.meta.dirname, '..');
const place = join(root, 'node_modules/.cache/rfs');
const lock = join(place, 'lock');
/** Milliseconds after which somebody who makes a bundle must have been killed. */
const longest = 60_000;
/** A process that runs for days may start a thread from its bundle at any time. */
const bundlesKept = 20;

mkdirSync(place, { recursive: true });
if (takeLock())
  try {
    await keepBundle();
  } finally {
    rmdirSync(lock);
  }

async function keepBundle(): Promise<void> {
  // From before they are read: a source that changes meanwhile makes the bundle stale at once.
  const sources = globSync(['src/**/*.ts', 'tools/*bundle.*', 'package*.json'], { cwd: root });
  const states = new Map(sources.map((path) => [path, stateOf(path)]));
  const temporary = mkdtempSync(join(place, 'new-'));
  try {
    const bundle = await bundleRfs(temporary);
    for (const [name, content] of bundle.files) writeFileSync(join(temporary, name), content);
    const directory = digestOf(bundle);
    putInPlace(temporary, join(place, directory));
    compileAhead(join(place, directory), [...bundle.files.keys()]);
    const others = sources.filter((path) => !path.startsWith('src/'));
    const inputs = [...bundle.inputs, ...others].map((path) => states.get(path) ?? stateOf(path));
    const news = join(place, `current-${process.pid}`);
    writeFileSync(news, JSON.stringify({ directory, inputs }));
    renameSync(news, join(place, 'current.json'));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  for (const old of bundles().slice(bundlesKept)) rmSync(old, { recursive: true, force: true });
}

function takeLock(): boolean {
  const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  if (age > longest) rmSync(lock, { recursive: true, force: true });
  try {
    mkdirSync(lock);
    return true;
  } catch {
    return false;
  }
}

/** As `with-bundle.cjs` compares it. Whatever changes a file changes its ctime. */
function stateOf(path: string): readonly [path: string, ctime: number, size: number, inode: number] {
  const { ctimeMs, size, ino } = statSync(join(root, path));
  return [path, ctimeMs, size, ino];
}

function digestOf({ files }: Bundle): string {
  const digest = createHash('sha256');
  for (const [name, content] of files) digest.update(`${name} ${content.length}\n`).update(content);
  return digest.digest('hex').slice(0, 16);
}

/** The same bundle may be there: of sources that were changed and changed back. */
function putInPlace(temporary: string, directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) renameSync(temporary, directory);
}

/** Node.js would keep what the first start compiled: of a start that only prints the help, next to nothing. */
function compileAhead(directory: string, files: readonly string[]): void {
  const code = `
    const { setFlagsFromString } = require('node:v8');
    setFlagsFromString('--no-lazy');
    globalThis.${compileOnly} = true;
    for (const file of process.argv.slice(1)) require(file);
    setFlagsFromString('--lazy'); // code that is kept is for this flag`;
  const env = { ...process.env, NODE_COMPILE_CACHE: join(directory, 'compiled') };
  spawnSync(process.execPath, ['-e', code, ...files.map((file) => join(directory, file))], { env });
}

/** The newest first. */
function bundles(): string[] {
  return readdirSync(place)
    .filter((name) => /^[0-9a-f]{16}$/.test(name))
    .map((name) => join(place, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
}
