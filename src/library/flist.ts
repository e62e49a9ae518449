/** `zosbuilder/flist`: pack, read, mount, unpack, move and check flists. */
export { Failure, type FailureKind } from '../base/errors.ts';
export {
  type BlockRef,
  blockKey,
  blockSize,
  decodeBlock,
  encodeBlock,
  initBlockCodec,
} from '../flist/block/block-codec.ts';
export { blocksToFetch, diffEntries, diffSettings, type EntryChange } from '../flist/diff.ts';
export { dumpLines } from '../flist/dump.ts';
export { writeDump } from '../flist/from-dump.ts';
export { type Inode, kindOfMode } from '../flist/manifest/inode.ts';
export {
  Manifest,
  type ManifestRows,
  type ManifestSettings,
  manifestOf,
  type PrefetchRange,
  readManifest,
  writeManifest,
} from '../flist/manifest/manifest.ts';
export { type BlockReader, storeReader, treeOfManifest } from '../flist/manifest/manifest-tree.ts';
export { ManifestWriter } from '../flist/manifest/manifest-writer.ts';
export { type CloneOptions, type CloneSummary, cloneBlocks } from '../flist/move/clone.ts';
export { collectGarbage, type GarbageCounts, type GarbageOptions } from '../flist/move/collect-garbage.ts';
export { type MarkedBlocks, markBlocks } from '../flist/move/mark-blocks.ts';
export { type SyncOptions, type SyncSummary, syncStores } from '../flist/move/sync-stores.ts';
export { type PackOptions, type PackSummary, packEntries, packSource, packTree } from '../flist/pack.ts';
export { openPackSource, type PackSource, type PackSourceOptions } from '../flist/pack-source.ts';
export type { FoldCounts, Keep } from '../flist/trace/trace-fold.ts';
export { type PrefetchOptions, writePrefetch } from '../flist/trace/trace-prefetch.ts';
export type { UnpackBlocks } from '../flist/unpack/crew.ts';
export { RemoteBlocks } from '../flist/unpack/remote-blocks.ts';
export { type UnpackOptions, type UnpackSummary, unpackManifest } from '../flist/unpack/unpack.ts';
export { type ManifestUsage, measureUsage, type Usage } from '../flist/usage.ts';
export { type Verification, type VerifyOptions, verifyBlocks } from '../flist/verify.ts';
export { type PlacedInode, walkManifest } from '../flist/walk.ts';
export { type MountedFlist, type MountFlistOptions, mountFlist } from '../mount/mount-flist.ts';
