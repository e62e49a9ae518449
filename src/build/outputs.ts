import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../base/digest.ts';
import { readTextIfPresent, writeAtomic } from '../base/files.ts';
import type { StageStatus } from './engine.ts';
import type { Session } from './session.ts';
import type { StageName } from './stage.ts';
import type { ImageValue } from './stages/initramfs-create.ts';
import type { KernelValue } from './stages/kernel-modules.ts';

/** A file in `dist/`. */
export interface Output {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The trees whose files are the results of a build, by the stage that makes them. */
const results: readonly { readonly stage: StageName; readonly tree: string }[] = [
  { stage: 'initramfs_create', tree: 'image' },
  { stage: 'initramfs_create', tree: 'sbom' },
  { stage: 'kernel_build', tree: 'kernel' },
];

/**
 * Puts the results of a finished build into `dist/`, with `build.json` last. Files that are there already are not
 * touched. It runs only after every stage succeeded, so that a failed build leaves the previous results as they were.
 */
export async function exportOutputs(session: Session, statuses: readonly StageStatus[]): Promise<Output[]> {
  const outputs: Output[] = [];
  for (const { stage, tree } of results) {
    for (const [path, entry] of await session.engine.tree(stage, tree)) {
      if (entry.kind !== 'file') continue;
      const digest = entry.content.digest ?? sha256(await entry.content.read());
      const target = join(session.project.dist, path);
      if ((await fileDigest(target, entry.content.size)) !== digest)
        await writeAtomic(target, entry.content.chunks());
      outputs.push({ path, bytes: entry.content.size, sha256: digest });
    }
  }
  await writeBuildReport(session, statuses, outputs);
  return outputs;
}

async function fileDigest(path: string, size: number): Promise<string | undefined> {
  const present = await stat(path).catch(() => undefined);
  return present?.size === size ? sha256(await readFile(path)) : undefined;
}

/** `dist/build.json`: what was built, from what, and why each stage ran. */
async function writeBuildReport(
  { project, recipe, engine }: Session,
  statuses: readonly StageStatus[],
  outputs: readonly Output[],
) {
  const image = await engine.value<ImageValue>('initramfs_create', 'description');
  const kernel = await engine.value<KernelValue>('kernel_modules', 'kernel');
  const report = {
    buildId: image.buildId,
    kernelRelease: kernel.release,
    kernelPackage: `${kernel.package} ${kernel.version}`,
    profile: recipe.values.profile,
    epoch: image.epoch,
    outputs,
    parts: image.parts,
    stages: statuses.map(({ stage, record }) => ({
      stage,
      reasons: record?.reasons,
      milliseconds: record?.milliseconds,
      peakMemory: record?.peakMemory,
      note: record?.note,
      inputs: record?.inputs,
      trees: record?.trees,
    })),
  };
  const target = join(project.dist, 'build.json');
  const text = `${JSON.stringify(report, null, 2)}\n`;
  if ((await readTextIfPresent(target)) !== text) await writeAtomic(target, text);
}
