import type { Command } from 'commander';
import { formatBytes } from '../../base/units.ts';
import { BlockCache } from '../../cache/block-cache.ts';
import { BlockFiles } from '../../cache/block-files.ts';
import { blockKey, initBlockCodec } from '../../flist/block-codec.ts';
import { readManifest } from '../../flist/manifest.ts';
import { type BlockReader, storeReader } from '../../flist/manifest-tree.ts';
import { unpackManifest } from '../../flist/unpack.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute } from '../../store/route.ts';
import { type CommonOptions, printJson, reporterOf } from '../face.ts';
import { stores } from './options.ts';

interface UnpackOptions extends CommonOptions {
  readonly meta: string;
  readonly cache: string;
  readonly preserveOwnership?: boolean;
  readonly store?: readonly string[];
  readonly json?: boolean;
}

export default function define(command: Command): void {
  command
    .argument('<target>', 'a new or an empty directory')
    .requiredOption('-m, --meta <file>', 'the flist')
    .option(
      '-c, --cache <directory>',
      'where fetched blocks are kept; may be shared with mounts',
      '/tmp/cache',
    )
    .option('-p, --preserve-ownership', 'give files the owners that they have in the flist (root only)')
    .option(
      '-s, --store <[xx-yy=]url>',
      'read from here in place of the stores that the flist names (repeatable)',
      stores,
    )
    .option('--json', 'print the outcome as JSON')
    .action(async (target: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<UnpackOptions>();
      const reporter = reporterOf(options);
      const manifest = await readManifest(options.meta);
      const store = await openRoutes(options.store?.map(parseRoute) ?? manifest.routes, {
        note: reporter.line,
      });
      const cache = await openCache(options.cache, reporter.line);
      const summary = await unpackManifest(manifest, {
        directory: target,
        readBlock: cachedReader(cache, storeReader(store)),
        preserveOwnership: options.preserveOwnership ?? false,
      });
      await cache.flush();
      for (const { path, kind } of summary.skipped) reporter.line(`skipped ${path}: cannot make a ${kind}`);
      if (options.json) printJson(summary);
      else console.log(`${target}: ${summary.files} files, ${formatBytes(summary.bytes)}`);
    });
}

async function openCache(directory: string, warn: (line: string) => void): Promise<BlockCache> {
  await initBlockCodec();
  return new BlockCache(new BlockFiles(directory, blockKey), { warn });
}

function cachedReader(cache: BlockCache, read: BlockReader): BlockReader {
  return (ref, size) => cache.get({ ...ref, size }, () => read(ref, size));
}
