import { type Command, InvalidArgumentError } from 'commander';
import { formatTable } from '../../base/table.ts';
import { formatBytes } from '../../base/units.ts';
import type { FlistKind } from '../../build/flist-names.ts';
import { defaultBlockStore, publishFlists } from '../../build/flists.ts';
import type { PublishedFlist } from '../../publish/publish.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute, routeUrl } from '../../store/route.ts';
import { storeSpecs } from '../../store/spec-file.ts';
import { printJson, reporterOf } from '../face.ts';
import { type ProjectCommandOptions, sessionOf, withProjectOptions } from './session.ts';

interface Options extends ProjectCommandOptions {
  readonly store?: string[];
  readonly route?: string[];
}

const kinds: Readonly<Record<string, readonly FlistKind[]>> = {
  modules: ['modules'],
  firmware: ['firmware'],
  all: ['modules', 'firmware'],
};

export default function define(command: Command): void {
  withProjectOptions(command)
    .description(
      'Packs the kernel modules and the firmware of the last build into dist/flists/, blocks first.',
    )
    .argument('[what]', 'modules, firmware or all', parseKinds, kinds['all'])
    .option('-s, --store <url...>', 'where blocks go: [xx-yy=]URL (default: the directory dist/blocks)')
    .option(
      '--route <url...>',
      'where readers find the blocks (default: the stores given, passwords stripped)',
    )
    .option('--json', 'print the outcome as JSON')
    .action(async (what: readonly FlistKind[], options: Options) => {
      const session = await sessionOf(options);
      const reporter = reporterOf(options);
      await session.engine.build({ until: 'modules_setup', reporter });
      const published = await publishFlists(session, {
        kinds: what,
        store: options.store
          ? await openRoutes(options.store.flatMap(storeSpecs).map(parseRoute))
          : defaultBlockStore(session.project),
        routes: (options.route ?? options.store ?? [])
          .flatMap(storeSpecs)
          .map(parseRoute)
          .map((route) => ({ ...route, url: routeUrl(route.url) })),
        reporter,
      });
      if (options.json) printJson(published);
      else for (const line of formatPublished(published)) console.log(line);
    });
}

function parseKinds(text: string): readonly FlistKind[] {
  const found = kinds[text];
  if (!found) throw new InvalidArgumentError('It is modules, firmware or all.');
  return found;
}

/** What was published, a line a flist. */
export function formatPublished(published: readonly PublishedFlist[]): string[] {
  return formatTable(
    published.map((flist) => [
      flist.name,
      `${flist.files} files`,
      formatBytes(flist.bytes),
      `${flist.blocks} blocks`,
      `${flist.newBlocks} new`,
      `${formatBytes(flist.storedBytes)} stored in ${flist.store}`,
    ]),
    ['left', 'right', 'right', 'right', 'right', 'left'],
  );
}
