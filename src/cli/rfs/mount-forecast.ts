import { formatBytes } from '../../base/units.ts';
import { initBlockCodec } from '../../flist/block/block-codec.ts';
import { readManifest } from '../../flist/manifest/manifest.ts';
import { forecast, lookIntoCache, type Need } from '../../mount/forecast.ts';
import { printJson } from '../face.ts';
import type { MountOptions } from './mount.ts';

/** Prints what a mount would fetch. */
export async function printForecast({ meta, cache, json }: MountOptions): Promise<void> {
  await initBlockCodec();
  const { columns } = await readManifest(meta);
  const outcome = forecast(columns, lookIntoCache(columns, cache));
  if (json) printJson(outcome);
  else {
    console.log(`everything: ${formatNeed(outcome.everything)}`);
    if (outcome.traced) console.log(`as traced: ${formatNeed(outcome.traced)}`);
  }
}

function formatNeed({
  files,
  blocks,
  bytes,
  cachedBlocks,
  cachedBytes,
  requests,
  bytesToFetch,
}: Need): string {
  const fetched = requests === 0 ? 'nothing' : `${requests} requests, ${formatBytes(bytesToFetch)}`;
  return (
    `${files} files, ${blocks} blocks, ${formatBytes(bytes)}; ` +
    `in the cache ${cachedBlocks} blocks, ${formatBytes(cachedBytes)}; to fetch ${fetched}`
  );
}
