import { createHash } from 'node:crypto';
import { readAr } from '../../src/archive/ar.ts';
import { decompress } from '../../src/archive/compression.ts';
import { tarBlockSize } from '../../src/archive/tar.ts';
import { parseChallenges } from '../../src/flist/oci/challenge.ts';
import { parseConfig } from '../../src/flist/oci/config.ts';
import { parseDocument } from '../../src/flist/oci/documents.ts';
import { applyLayer, spoolLayer } from '../../src/flist/oci/layers.ts';
import { bestFor, machinePlatform, runsOn } from '../../src/flist/oci/platform.ts';
import { startupToml } from '../../src/flist/oci/startup.ts';
import { bytesContent } from '../../src/tree/content.ts';
import { treeFromCpio } from '../../src/tree/from-cpio.ts';
import { treeFromTar } from '../../src/tree/from-tar.ts';
import { tarOf } from '../../src/tree/to-tar.ts';
import type { Entry } from '../../src/tree/tree.ts';
import { TreeBuilder } from '../../src/tree/tree-builder.ts';
import { inPieces } from './pieces.ts';
import type { Target } from './target.ts';

export const tars: Target = {
  name: 'tar archives',
  corpus: 'tars',
  share: 2,
  mend: mendTar,
  async run(bytes, random) {
    const tree = await treeFromTar(inPieces(bytes, random));
    checkPaths(tree);
    for await (const _ of tarOf(tree));
  },
};

export const cpios: Target = {
  name: 'cpio archives',
  corpus: 'cpios',
  run: (bytes) => checkPaths(treeFromCpio(bytes)),
};

export const ars: Target = {
  name: 'ar archives',
  corpus: 'ars',
  run: (bytes) => void readAr(bytes),
};

export const compressed: Target = {
  name: 'compressed files',
  corpus: 'compressed',
  share: 2,
  run: async (bytes) => void (await decompress(bytes, { limit: 4 << 20 })),
};

/** Two layers of an image, laid over each other: an archive, and what is left when its beginning is missing. */
export const layers: Target = {
  name: 'layers of images',
  corpus: 'layers',
  share: 2,
  mend: mendTar,
  async run(bytes, random) {
    const tree = new TreeBuilder();
    const missing = random.small(Math.ceil(bytes.length / tarBlockSize)) * tarBlockSize;
    for (const archive of [bytes, bytes.subarray(missing)]) {
      const diffId = `sha256:${createHash('sha256').update(archive).digest('hex')}`;
      const content = bytesContent(archive);
      const layer = await spoolLayer({ name: 'a layer', content, diffId }, { limit: 1 << 20 });
      try {
        await applyLayer(tree, layer);
      } finally {
        await layer.close();
      }
    }
    checkPaths(tree);
  },
};

/** Indexes and manifests. */
export const documents: Target = {
  name: 'documents of images',
  corpus: 'documents',
  run(bytes) {
    const document = parseDocument(bytes, 'it');
    if (document.kind === 'index') bestFor(machinePlatform(), document.manifests);
  },
};

export const configs: Target = {
  name: 'configurations of images',
  corpus: 'documents',
  run(bytes) {
    const config = parseConfig(bytes, 'it');
    runsOn(machinePlatform(), config.platform);
    startupToml(config);
  },
};

export const challenges: Target = {
  name: 'challenges of registries',
  corpus: 'challenges',
  run: (bytes) => void parseChallenges(bytes.toString()),
};

/** Puts into every block of a tar archive that looks like a header the checksum that it has to have. */
function mendTar(bytes: Buffer): void {
  for (let at = 0; at + tarBlockSize <= bytes.length; at += tarBlockSize) {
    const block = bytes.subarray(at, at + tarBlockSize);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.fill(' ', 148, 156);
    const sum = block.reduce((sum, byte) => sum + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
}

function checkPaths(entries: Iterable<readonly [string, Entry]>): void {
  for (const [path] of entries)
    if (path !== '' && path.split('/').some((name) => ['', '.', '..'].includes(name) || name.includes('\0')))
      throw new Error(`a path leaves the tree: ${JSON.stringify(path)}`);
}
