import { createReadStream } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { errnoOf, Failure } from '../../base/errors.ts';
import { type Manifest, readManifest, writeManifest } from '../manifest/manifest.ts';
import { originOf } from '../pack/previous.ts';
import { noteSource } from '../pack/source-root.ts';
import { type FoldCounts, type Keep, TraceFold } from './trace-fold.ts';
import { readTrace } from './trace-lines.ts';

export interface PrefetchOptions {
  /** The `.fl` file. */
  readonly manifest: string;
  /** Where the flist with its list goes; may be the same. */
  readonly output: string;
  readonly keep: Keep;
}

/**
 * Writes a flist that says what to fetch ahead, made from traces, in place of what it said before. Everything else stays; the time of its
 * pack too, by which `--previous` knows unchanged files, unless somebody else packed it.
 * @throws Failure `corrupt` for what is no trace, `not-found`, `failed` when no block is left to fetch ahead; no flist is written then
 */
export async function writePrefetch(
  traces: readonly string[],
  options: PrefetchOptions,
): Promise<FoldCounts> {
  const manifest = await readManifest(options.manifest);
  const { began, isOwn, source } = await originOf(options.manifest);
  const { prefetch, counts } = await foldTraces(traces, manifest, options.keep);
  if (prefetch.length === 0)
    throw new Failure('failed', `the traces name no block of ${options.manifest} that is to be kept`, {
      hint: 'give traces of this flist or of an earlier one of the same tree, and perhaps --keep any',
    });
  await writeManifest(options.output, manifest.with({ prefetch }));
  if (began !== undefined && isOwn) {
    if (source !== undefined) await noteSource(options.output, source);
    const time = Number(began) / 1e9;
    await utimes(options.output, time, time);
  }
  return counts;
}

async function foldTraces(traces: readonly string[], manifest: Manifest, keep: Keep) {
  const fold = new TraceFold(manifest.columns);
  for (const [index, path] of traces.entries()) {
    let mount = '';
    for await (const record of readTrace(bytesOf(path), path)) {
      if ('trace' in record) mount = `${index} ${record.mounted}`;
      else if ('path' in record) fold.take(mount, record);
    }
  }
  return fold.finish(keep);
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path);
  } catch (cause) {
    const isMissing = errnoOf(cause) === 'ENOENT';
    throw new Failure(isMissing ? 'not-found' : 'failed', `cannot read the trace ${path}`, { cause });
  }
}
