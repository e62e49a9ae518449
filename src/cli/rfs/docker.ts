import type { Command } from 'commander';
import { formatBytes } from '../../base/units.ts';
import { type ConvertSummary, convertImage } from '../../flist/convert-image.ts';
import type { GivenCredentials } from '../../flist/oci/credentials.ts';
import type { ImageChoice } from '../../flist/oci/image.ts';
import { type ImageLocation, openImage, parseImageLocation } from '../../flist/oci/locate-image.ts';
import { openImageAt } from '../../flist/oci/open-image.ts';
import { formatPlatform, machinePlatform, parsePlatform } from '../../flist/oci/platform.ts';
import { formatReference, parseReference } from '../../flist/oci/reference.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute, routeUrl } from '../../store/route.ts';
import { type CommonOptions, printJson, reporterOf } from '../face.ts';
import { stores } from './options.ts';

interface DockerOptions extends CommonOptions, GivenCredentials {
  readonly imageName: string;
  readonly store: readonly string[];
  readonly archive?: string;
  readonly platform?: string;
  readonly insecure?: boolean;
  readonly json?: boolean;
}

export default function define(command: Command): void {
  command
    .description('make a flist of a container image, without Docker: NAME with `:` and `/` as `-`, and `.fl`')
    .requiredOption(
      '-i, --image-name <name>',
      'the image: [registry/]repository[:tag][@digest], oci:PATH[:NAME] or docker-archive:PATH[:NAME]',
    )
    .requiredOption(
      '-s, --store <[xx-yy=]url>',
      'where blocks go, and where the flist says that they are (repeatable: shards by range, else replicas)',
      stores,
    )
    .option('--archive <path>', 'read the image from an OCI layout or an archive of docker save')
    .option('--platform <os/arch[/variant]>', 'which image of several; that of this machine by default')
    .option('--username <name>', 'for the registry')
    .option('--password <password>', 'for the registry; better in RFS_REGISTRY_PASSWORD')
    .option('--auth <base64>', 'user:password in base64')
    .option('--email <address>', 'taken for the sake of rfs; no registry asks for it')
    .option('--server-address <registry>', 'the registry that the credentials are for')
    .option('--identity-token <token>', 'for a token of the token server')
    .option('--registry-token <token>', 'for the registry itself')
    .option('--insecure', 'ask the registry without TLS when it does not speak it')
    .option('--json', 'print the outcome as JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<DockerOptions>();
      const flist = flistNameOf(options.imageName);
      const summary = await convert(flist, options);
      if (options.json) printJson({ flist, ...summary });
      else console.log(formatSummary(flist, summary));
    });
}

/** As rfs names it: the tag `latest` when there is no colon at all. */
export function flistNameOf(image: string): string {
  const name = image.replace(/^docker:\/\//, '');
  return `${(name.includes(':') ? name : `${name}:latest`).replaceAll(/[:/]/g, '-')}.fl`;
}

async function convert(flist: string, options: DockerOptions): Promise<ConvertSummary> {
  const { imageName, archive, platform } = options;
  const choice: ImageChoice = {
    platform: platform === undefined ? machinePlatform() : parsePlatform(platform),
    isPlatformDemanded: platform !== undefined,
  };
  const location: ImageLocation | undefined =
    archive === undefined
      ? (parseImageLocation(imageName) ?? { kind: 'registry', reference: parseReference(imageName) })
      : undefined;
  const given = options.store.map(parseRoute);
  const reporter = reporterOf(options);
  return convertImage({
    manifest: flist,
    store: await openRoutes(given, { note: reporter.line }),
    routes: given.map((route) => ({ ...route, url: routeUrl(route.url) })),
    tags: new Map(location?.kind === 'registry' ? [['image', formatReference(location.reference)]] : []),
    open: () =>
      location
        ? openImage(location, choice, { credentials: options, isInsecure: options.insecure })
        : openImageAt(archive!, { ...choice, name: imageName }),
    onImage: ({ name, digest = 'no digest', config, layers }) =>
      reporter.line(`${name}: ${digest}, ${formatPlatform(config.platform)}, ${layers.length} layers`),
    onPull: ({ layers, allLayers, bytes, allBytes }) =>
      reporter.status(
        `pulling: ${layers} of ${allLayers} layers, ${formatBytes(bytes)} of ${formatBytes(allBytes)}`,
      ),
    onProgress: ({ blocks, bytes }) => reporter.status(`packing: ${blocks} blocks, ${formatBytes(bytes)}`),
  });
}

function formatSummary(
  flist: string,
  { files, bytes, blocks, newBlocks, storedBytes }: ConvertSummary,
): string {
  return (
    `${flist}: ${files} files, ${formatBytes(bytes)} in ${blocks} blocks; ` +
    `${newBlocks} blocks were new, ${formatBytes(storedBytes)} stored`
  );
}
