import { Failure } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import { bytesContent } from '../tree/content.ts';
import type { TreeBuilder } from '../tree/tree-builder.ts';
import type { Image } from './oci/image.ts';
import { type OpenImage, type PullProgress, readImageTree } from './oci/image-tree.ts';
import { formatPlatform } from './oci/platform.ts';
import { startupToml } from './oci/startup.ts';
import { type PackOptions, type PackSummary, packEntries } from './pack.ts';

export interface ConvertOptions extends PackOptions {
  /** Opens the image; called when the store is known to take blocks. */
  readonly open: () => Promise<OpenImage>;
  /** Called when the image is known, before its layers are fetched. */
  readonly onImage?: (image: Image) => void;
  readonly onPull?: (progress: PullProgress) => void;
}

export interface ConvertSummary extends PackSummary {
  /** The digest of the image's manifest; none for an archive of `docker save`. */
  readonly digest?: string;
  readonly platform: string;
}

/**
 * Packs the root file system of a container image. Beside what is in its layers the flist has `.startup.toml`, which says what
 * to start; the directories on which every runtime mounts something, where the image lacks them; and tags that say which
 * image it was: `digest`, `platform`, and `user` when it does not start as root. The time of what is added is that of the image.
 * @throws Failure of the image, its layers or the store; the former flist stays
 */
export async function convertImage({
  open,
  onImage,
  onPull,
  ...packing
}: ConvertOptions): Promise<ConvertSummary> {
  checkWritable(packing.store);
  const opened = await open();
  const { image } = opened;
  onImage?.(image);
  const { tree, close } = await readImageTree(opened, onPull && { onProgress: onPull });
  try {
    addWhatRuntimesNeed(tree, image);
    const tags = new Map([...(packing.tags ?? []), ...tagsOf(image)]);
    const summary = await packEntries(tree, { ...packing, tags });
    const digest = tags.get('digest');
    return { ...(digest !== undefined && { digest }), platform: tags.get('platform')!, ...summary };
  } finally {
    await close();
  }
}

function checkWritable(store: Store): void {
  if (!store.capabilities.write)
    throw new Failure('denied', `${store.address} cannot keep blocks`, {
      hint: 'name a store that can be written, for example dir:///srv/blocks',
    });
}

/** A flist is read-only, so nobody can make these where it is mounted. */
const mountPoints = ['dev', 'proc', 'sys'];

function addWhatRuntimesNeed(tree: TreeBuilder, { config }: Image): void {
  const metadata = { uid: 0, gid: 0, mtime: config.created ?? 0 };
  for (const path of mountPoints)
    if (tree.get(path) === undefined) tree.put(path, { kind: 'directory', mode: 0o755, ...metadata });
  const content = bytesContent(startupToml(config));
  tree.put('.startup.toml', { kind: 'file', mode: 0o644, ...metadata, content });
}

function tagsOf({ digest, config }: Image): Map<string, string> {
  return new Map([
    ...(digest === undefined ? [] : [['digest', digest] as const]),
    ['platform', formatPlatform(config.platform)],
    ...(config.user ? [['user', config.user] as const] : []),
  ]);
}
