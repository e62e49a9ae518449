import { forEachParallel } from '../../base/parallel.ts';
import { TreeBuilder } from '../../tree/tree-builder.ts';
import type { Image, Layer } from './image.ts';
import { applyLayer, type SpooledLayer, spoolLayer } from './layers.ts';

/** An image that can be read until it is closed. Closing ends what is on its way. */
export interface OpenImage {
  readonly image: Image;
  close(): Promise<void>;
}

export interface PullProgress {
  /** Layers that are on disk and verified. */
  readonly layers: number;
  readonly allLayers: number;
  /** Bytes of layers that came so far, as they are stored. */
  readonly bytes: number;
  readonly allBytes: number;
}

export interface ImageTreeOptions {
  readonly onProgress?: (progress: PullProgress) => void;
  /** The most plain bytes of one layer; 64 GiB by default. */
  readonly limit?: number;
}

/** The root file system of an image. Contents lie in temporary files and are there until it is closed. */
export interface ImageTree {
  readonly tree: TreeBuilder;
  close(): Promise<void>;
}

/** As many as Docker fetches. */
const layersAtOnce = 3;
const defaultLimit = 64 * 2 ** 30;

/**
 * Brings every layer to disk, verified, and lays one over the other. Closes the image when it fails.
 * @throws Failure of the source, and as `spoolLayer` and `applyLayer`
 */
export async function readImageTree(
  { image, close }: OpenImage,
  { onProgress = () => {}, limit = defaultLimit }: ImageTreeOptions = {},
): Promise<ImageTree> {
  const spooled: SpooledLayer[] = [];
  const closeAll = async () => {
    for (const layer of spooled.splice(0)) await layer.close();
    await close();
  };
  try {
    await spoolLayers(image.layers, spooled, { limit, onProgress, stop: close });
    const tree = new TreeBuilder();
    for (const layer of spooled) await applyLayer(tree, layer);
    return { tree, close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Spools all layers into their places in `spooled`. When one fails, `stop` ends the others, and all have ended after it. */
async function spoolLayers(
  layers: readonly Layer[],
  spooled: SpooledLayer[],
  {
    limit,
    onProgress,
    stop,
  }: { limit: number; onProgress: (p: PullProgress) => void; stop: () => Promise<void> },
): Promise<void> {
  let [done, bytes] = [0, 0];
  const allBytes = layers.reduce((sum, { content }) => sum + content.size, 0);
  const report = () => onProgress({ layers: done, allLayers: layers.length, bytes, allBytes });
  const onBytes = (more: number) => {
    bytes += more;
    report();
  };
  const results: SpooledLayer[] = [];
  try {
    await forEachParallel(layers.entries(), layersAtOnce, async ([index, layer], signal) => {
      signal.addEventListener('abort', () => void stop());
      results[index] = await spoolLayer(layer, { limit, onBytes });
      done++;
      report();
    });
  } finally {
    spooled.push(...results.filter((each) => each !== undefined));
  }
}
