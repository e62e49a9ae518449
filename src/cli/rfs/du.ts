import { type Command, InvalidArgumentError } from 'commander';
import { formatTable } from '../../base/table.ts';
import { formatBytes } from '../../base/units.ts';
import { printable } from '../../flist/inspect.ts';
import { type Manifest, readManifest } from '../../flist/manifest/manifest.ts';
import {
  type DirectoryUsage,
  type ManifestUsage,
  measureStored,
  measureUsage,
  type StoredUsage,
  type Usage,
  usageByDirectory,
} from '../../flist/usage.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute } from '../../store/route.ts';
import { type CommonOptions, printJson, reporterOf } from '../face.ts';
import { stores } from './options.ts';

interface DuOptions extends CommonOptions {
  readonly depth?: number;
  readonly store?: readonly string[];
  readonly json?: boolean;
}

export default function define(command: Command): void {
  command
    .description('what flists hold, alone and shared with each other')
    .argument('<flist...>', 'the flists')
    .option('-d, --depth <levels>', 'also by directory, down to so many levels; 0 is the root alone', levels)
    .option('-s, --store <[xx-yy=]url>', 'also what the blocks take in this store (repeatable)', stores)
    .option('--json', 'print the numbers as JSON')
    .action(async (paths: string[], _: unknown, command: Command) => {
      const options = command.optsWithGlobals<DuOptions>();
      const manifests: Manifest[] = [];
      for (const path of paths) manifests.push(await readManifest(path));
      const { each, total } = measureUsage(manifests);
      const stored = options.store && (await storedIn(options.store, manifests, options));
      const flists = paths.map((flist, i) => ({
        flist,
        ...each[i]!,
        ...(options.depth !== undefined && { directories: usageByDirectory(manifests[i]!, options.depth) }),
      }));
      if (options.json) printJson({ flists, total: { ...total, ...(stored && { stored }) } });
      else console.log(textOf(flists, total, stored).join('\n'));
    });
}

function levels(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('It is not a number of levels.');
  return Number(text);
}

async function storedIn(
  stores: readonly string[],
  manifests: readonly Manifest[],
  options: CommonOptions,
): Promise<StoredUsage> {
  const reporter = reporterOf(options);
  return measureStored(manifests, await openRoutes(stores.map(parseRoute)), {
    onProgress: (blocks) => reporter.status(`asking the store: ${blocks} blocks`),
  });
}

type FlistUsage = ManifestUsage & {
  readonly flist: string;
  readonly directories?: readonly DirectoryUsage[];
};

function textOf(flists: readonly FlistUsage[], total: Usage, stored: StoredUsage | undefined): string[] {
  const rows = flists.map(({ flist, ownBytes, sharedBytes, ...usage }) => [
    ...cellsOf(usage),
    formatBytes(ownBytes),
    formatBytes(sharedBytes),
    printable(flist),
  ]);
  const head = ['files', 'bytes', 'blocks', 'in blocks', 'own', 'shared', 'flist'];
  const sum = flists.length > 1 ? [[...cellsOf(total), '', '', 'together']] : [];
  const missing = stored?.missing ? `; ${stored.missing} blocks are missing there` : '';
  return [
    ...flists.flatMap(({ directories = [] }) => directoryLines(directories)),
    ...formatTable([head, ...rows, ...sum], Array(6).fill('right')),
    ...(stored === undefined ? [] : [`stored: ${formatBytes(stored.bytes)}${missing}`]),
  ];
}

function cellsOf({ files, bytes, blocks, blockBytes }: Usage): string[] {
  return [`${files}`, formatBytes(bytes), `${blocks}`, formatBytes(blockBytes)];
}

function directoryLines(directories: readonly DirectoryUsage[]): string[] {
  if (directories.length === 0) return [];
  const rows = directories.map(({ path, files, bytes }) => [
    `${files}`,
    formatBytes(bytes),
    `/${printable(path)}`,
  ]);
  return [...formatTable([['files', 'bytes', 'directory'], ...rows], ['right', 'right']), ''];
}
