import { resolve } from 'node:path';
import type { Command } from 'commander';
import { formatTable } from '../../base/table.ts';
import { formatBytes, formatDuration } from '../../base/units.ts';
import { CacheDirectory } from '../../cache/cache-directory.ts';
import { parseCacheSize } from '../../cache/cache-size.ts';
import { type Eviction, evict } from '../../cache/evict.ts';
import { Journal } from '../../cache/journal.ts';
import { type Amount, type CacheMeasure, measureCache } from '../../cache/measure-cache.ts';
import { pin, unpin } from '../../cache/pins.ts';
import type { PlainFile } from '../../cache/plain-file.ts';
import { plainFileAt } from '../../cache/plain-file-at.ts';
import { damageLine } from '../../cache/scrub.ts';
import { atOnce } from '../../cache/turn.ts';
import { type CacheFindings, verifyCache } from '../../cache/verify-cache.ts';
import { initBlockCodec } from '../../flist/block/block-codec.ts';
import { readManifest } from '../../flist/manifest/manifest.ts';
import type { ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import { type CommonOptions, printJson, reporterOf } from '../face.ts';

interface CacheOptions extends CommonOptions {
  readonly cache: string;
  readonly json?: boolean;
}

interface GcOptions extends CacheOptions {
  readonly cacheSize?: string;
}

interface PinOptions extends CacheOptions {
  readonly meta: string;
}

/** As that of `rfs verify` for blocks that are not what they should be. */
const damagedCode = 5;

export default function define(command: Command): void {
  command
    .option('-c, --cache <directory>', 'the cache', '/tmp/cache')
    .option('--json', 'print the outcome as JSON');
  command.command('stat').description('what is in the cache, and what of it stays').action(stat);
  command
    .command('gc')
    .description('remove what interrupted writes left, and, down to a size, what was not used for longest')
    .option('--cache-size <size>', 'bytes to keep: 500MB, 20GiB, or 20% of the disk')
    .action(gc);
  command
    .command('verify')
    .description('hash everything in the cache, and remove what is damaged')
    .action(verify);
  command
    .command('pin')
    .description('never evict the files of a flist, whether they are there yet or not')
    .requiredOption('-m, --meta <file>', 'the flist')
    .action(pinFlist);
  command
    .command('unpin')
    .description('let the files of a flist be evicted again')
    .requiredOption('-m, --meta <file>', 'the flist that was pinned, by the same path')
    .action(unpinFlist);
}

function stat(_: unknown, command: Command): void {
  const { cache, json } = command.optsWithGlobals<CacheOptions>();
  const measure = measureCache(new CacheDirectory(cache));
  if (json) printJson({ cache, ...measure });
  else console.log(statLines(cache, measure).join('\n'));
}

async function gc(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<GcOptions>();
  const directory = new CacheDirectory(options.cache);
  const { cacheSize } = options;
  const target =
    cacheSize === undefined ? Number.POSITIVE_INFINITY : parseCacheSize(cacheSize, options.cache);
  const reporter = reporterOf(options);
  const done = await evict(directory, new Journal(directory), {
    target,
    turn: atOnce,
    onProgress: (directories) => reporter.status(`looking at the cache: ${directories} directories`),
  });
  if (options.json) printJson({ cache: options.cache, ...done });
  else console.log(gcLine(options.cache, done));
  if (done.after > target)
    reporter.line(`${formatBytes(done.after)} are left: ${formatBytes(done.kept)} are pinned or held open`);
}

async function verify(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<CacheOptions>();
  const directory = new CacheDirectory(options.cache);
  const reporter = reporterOf(options);
  const start = performance.now();
  const findings = await verifyCache(directory, {
    onProgress: ({ files, bytes }) => {
      const speed = (bytes / (performance.now() - start)) * 1000;
      reporter.status(`verifying: ${files} files, ${formatBytes(bytes)}, ${formatBytes(speed)}/s`);
    },
  });
  if (options.json) printJson({ cache: options.cache, ...findings });
  else {
    for (const { kind, name, blocks } of findings.damaged)
      console.log(damageLine(directory, `${kind} ${name}`, blocks));
    console.log(verifyLine(options.cache, findings));
  }
  if (findings.damaged.length > 0) process.exitCode = damagedCode;
}

async function pinFlist(_: unknown, command: Command): Promise<void> {
  const { cache, meta, json } = command.optsWithGlobals<PinOptions>();
  await initBlockCodec();
  const { columns } = await readManifest(meta);
  const flist = resolve(meta);
  const names = pin(new CacheDirectory(cache), flist, filesOf(columns));
  if (json) printJson({ cache, flist, names });
  else console.log(`${cache}: the files of ${flist} stay, under ${names} names`);
}

function unpinFlist(_: unknown, command: Command): void {
  const { cache, meta, json } = command.optsWithGlobals<PinOptions>();
  const flist = resolve(meta);
  const wasPinned = unpin(new CacheDirectory(cache), flist);
  if (json) printJson({ cache, flist, wasPinned });
  else console.log(`${cache}: ${flist} ${wasPinned ? 'is no longer pinned' : 'was not pinned'}`);
}

function* filesOf(columns: ManifestColumns): Generator<PlainFile> {
  for (let row = 0; row < columns.mode.length; row++) {
    const file = plainFileAt(columns, row);
    if (file.count > 0) yield file;
  }
}

function statLines(cache: string, measure: CacheMeasure): string[] {
  const { total, blocks, whole, parts, other, pinned, held, pins, oldestUse, newestUse, scrub } = measure;
  const row = (what: string, { files, bytes }: Amount, more = '') => [
    `${files}`,
    formatBytes(bytes),
    what,
    more,
  ];
  const lines = formatTable(
    [
      row('blocks and files of one block', blocks),
      row('whole files of several blocks', whole),
      row('files in part', parts, parts.files > 0 ? `${parts.blocks} of ${parts.ofBlocks} blocks` : ''),
      row('together', total),
      row('of these pinned', pinned),
      row('of these held open', held),
      row('left by interrupted writes, or not of the cache', other),
    ],
    ['right', 'right'],
  );
  const ago = (time: number) => formatDuration(Math.max(0, Date.now() - time * 1000));
  if (oldestUse !== undefined)
    lines.push(`uses: ${ago(oldestUse)} ago the oldest, ${ago(newestUse!)} ago the newest`);
  if (scrub !== undefined)
    lines.push(
      `scrub: begun ${ago(scrub.began)} ago${scrub.ended > 0 ? `, ended ${ago(scrub.ended)} ago` : ''}`,
    );
  return [`${cache}:`, ...lines, ...pins.map((flist) => `pinned: ${flist}`)];
}

function gcLine(cache: string, { before, after, files }: Eviction): string {
  return `${cache}: ${files} files removed, ${formatBytes(before - after)}; ${formatBytes(after)} are left`;
}

function verifyLine(cache: string, { files, blocks, bytes, unproved, busy, damaged }: CacheFindings): string {
  const parts = [`${cache}: ${files} files, ${blocks} blocks, ${formatBytes(bytes)}`];
  if (unproved > 0) parts.push(`${unproved} could not be proved`);
  if (busy > 0) parts.push(`${busy} were being written`);
  return `${parts.join('; ')}: ${damaged.length === 0 ? 'sound' : `${damaged.length} damaged and removed`}`;
}
