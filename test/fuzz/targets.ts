import { ars, challenges, compressed, configs, cpios, documents, layers, tars } from './archive-targets.ts';
import { blocks, s3Answers, sealedBlocks, snappyStreams, zdbReplies } from './block-targets.ts';
import { cacheMaps, cacheState } from './cache-targets.ts';
import { fuseRequests } from './fuse-targets.ts';
import { dumps, manifestBytes, manifestRows, traces } from './manifest-targets.ts';
import type { Target } from './target.ts';

/** Everything that is fuzzed. */
export const targets: readonly Target[] = [
  manifestBytes,
  manifestRows,
  dumps,
  traces,
  blocks,
  sealedBlocks,
  snappyStreams,
  tars,
  cpios,
  ars,
  compressed,
  layers,
  documents,
  configs,
  challenges,
  zdbReplies,
  s3Answers,
  fuseRequests,
  cacheMaps,
  cacheState,
];
