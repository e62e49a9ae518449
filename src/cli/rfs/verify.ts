import type { Command } from 'commander';
import { Failure } from '../../base/errors.ts';
import { formatProgress } from '../../base/progress.ts';
import { formatBytes } from '../../base/units.ts';
import { printable } from '../../flist/inspect.ts';
import { readManifest } from '../../flist/manifest/manifest.ts';
import { type DamagedFile, type Verification, type VerifyCounts, verifyBlocks } from '../../flist/verify.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute } from '../../store/route.ts';
import { type CommonOptions, jsonWithList, printLines, reporterOf, usualExitCode } from '../face.ts';
import { stores } from './options.ts';

interface VerifyOptions extends CommonOptions {
  readonly store?: readonly string[];
  readonly content: boolean;
  readonly json?: boolean;
}

/** Exit codes by kind of damage, the worst that there is. */
const damageCode = { manifest: 3, missing: 4, corrupt: 5, unavailable: 6 } as const;

/** The manifest is read first, so what says `corrupt` or `hostile` is about it; damaged blocks are counted and not thrown. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof Failure)) return usualExitCode(error);
  if (error.kind === 'corrupt' || error.kind === 'hostile') return damageCode.manifest;
  return error.kind === 'unavailable' ? damageCode.unavailable : usualExitCode(error);
}

export default function define(command: Command): void {
  command
    .description('check a flist and every block that it needs; the exit code says what is damaged')
    .argument('<target>', 'the flist')
    .option(
      '-s, --store <[xx-yy=]url>',
      'ask these in place of the stores that the flist names (repeatable)',
      stores,
    )
    .option('--no-content', 'only ask the stores whether they have each block, without fetching it')
    .option('--json', 'print the outcome as JSON')
    .action(async (target: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<VerifyOptions>();
      const { counts, damagedFiles } = await verify(target, options);
      if (options.json) await printLines(jsonWithList('damagedFiles', damagedFiles, () => ({ ...counts })));
      else {
        await printLines(damageLines(damagedFiles));
        console.log(formatSummary(target, counts));
      }
      process.exitCode = codeOf(counts);
    });
}

async function verify(target: string, options: VerifyOptions): Promise<Verification> {
  const manifest = await readManifest(target);
  const routes = options.store?.map(parseRoute) ?? manifest.routes;
  if (routes.length === 0)
    throw new Failure('usage', `${target} does not say where its blocks are`, {
      hint: 'name a store with --store, for example --store dir:///srv/blocks',
    });
  const store = await openRoutes(routes);
  const reporter = reporterOf(options);
  const start = performance.now();
  return verifyBlocks(manifest, {
    store,
    content: options.content,
    onProgress: ({ blocks: done, bytes }, total) => {
      const progress = { done, total, bytes, milliseconds: performance.now() - start };
      reporter.status(`verifying: ${formatProgress('blocks', progress)}`);
    },
  });
}

function codeOf({ damage }: VerifyCounts): number {
  if (damage.corrupt + damage.mismatch > 0) return damageCode.corrupt;
  return damage.missing > 0 ? damageCode.missing : 0;
}

const meanings = {
  missing: 'is missing',
  corrupt: 'is corrupt',
  mismatch: 'is not what the flist says',
} as const;

function* damageLines(files: Iterable<DamagedFile>): Generator<string> {
  for (const { path, blocks } of files)
    for (const { index, id, damage } of blocks)
      yield `/${printable(path)}: block ${index}, ${id}, ${meanings[damage]}`;
}

function formatSummary(target: string, { blocks, bytes, damage }: VerifyCounts): string {
  const found = Object.entries(damage).filter(([, count]) => count > 0);
  const verdict = found.length === 0 ? 'sound' : found.map(([what, count]) => `${count} ${what}`).join(', ');
  return `${target}: ${blocks} blocks, ${formatBytes(bytes)}: ${verdict}`;
}
