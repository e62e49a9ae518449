import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../base/errors.ts';
import type { AcceleratorChoice } from '../boot/accelerator.ts';
import { hostAddress } from '../boot/machine.ts';
import { bootScenario, type ExpectedFile, type Scenario } from '../boot/scenario.ts';
import type { Verdict } from '../boot/verdict.ts';
import type { BootEvent } from '../boot/watch.ts';
import { startHub } from '../hub/hub.ts';
import type { SelectedFirmware } from '../kernel/firmware.ts';
import type { Session } from './session.ts';
import type { ImageValue } from './stages/initramfs-create.ts';

export interface BootRequest {
  readonly scenarios: readonly Scenario[];
  readonly accelerator?: AcceleratorChoice;
  readonly onEvent?: (scenario: Scenario, event: BootEvent) => void;
}

/**
 * Boots what lies in `dist/`, one scenario after the other; a scenario that needs flists gets a hub on loopback that serves
 * `dist/flists` and `dist/blocks` while it runs.
 * @throws Failure `not-found` when nothing was built, or nothing published where a scenario needs it
 */
export async function bootOutputs(session: Session, request: BootRequest): Promise<Verdict[]> {
  const { project, engine } = session;
  const image = await engine.value<ImageValue>('initramfs_create', 'description');
  const common = {
    kernel: await present(join(project.dist, 'vmlinuz'), 'zosbuilder build'),
    initramfs: await present(join(project.dist, image.file), 'zosbuilder build'),
    buildId: image.buildId,
    logDirectory: join(project.state, 'logs'),
    stateDirectory: project.state,
    ...(request.accelerator && { accelerator: request.accelerator }),
  };
  const verdicts: Verdict[] = [];
  for (const scenario of request.scenarios) {
    const onEvent = (event: BootEvent) => request.onEvent?.(scenario, event);
    if (!scenario.needsHub) verdicts.push(await bootScenario(scenario, { ...common, onEvent }));
    else
      verdicts.push(
        await withHub(session, async (flistsUrl) =>
          bootScenario(scenario, {
            ...common,
            onEvent,
            flistsUrl,
            files: await firmwareProbes(session),
          }),
        ),
      );
  }
  return verdicts;
}

async function present(path: string, command: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new Failure('not-found', `${path} is not there`, { hint: `run: ${command}` });
  return path;
}

/** Serves the published flists of a project while `use` runs; the address is the one that a guest of QEMU sees. */
async function withHub<T>({ project }: Session, use: (url: string) => Promise<T>): Promise<T> {
  const manifests = join(project.dist, 'flists');
  const names = await readdir(manifests).catch(() => []);
  if (!names.some((name) => name.endsWith('.fl')))
    throw new Failure('not-found', `there is no flist in ${manifests}`, { hint: 'run: zosbuilder publish' });
  const hub = await startHub({
    manifests,
    blocks: join(project.dist, 'blocks'),
    listen: { host: '127.0.0.1', port: 0 },
  });
  try {
    return await use(hub.url.replace('127.0.0.1', hostAddress));
  } finally {
    await hub.close();
  }
}

/**
 * A small file for each line of firmware.conf that is for the flist alone, with its digest: what the node reads there can
 * only have come through its mount.
 */
async function firmwareProbes({ engine }: Session): Promise<ExpectedFile[]> {
  const entries = await engine.value<SelectedFirmware[]>('base_firmware', 'firmware');
  const all = await engine.tree('base_firmware', 'all');
  const image = await engine.tree('base_firmware', 'image');
  const smallest = (paths: readonly string[]) =>
    paths
      .filter((path) => !image.has(path))
      .flatMap((path) => {
        const content = all.file(path)?.content;
        return content?.digest === undefined ? [] : [{ path, size: content.size, sha256: content.digest }];
      })
      .sort((a, b) => a.size - b.size)[0];
  const files = entries.filter(({ entry }) => entry.target === 'flist').map(({ paths }) => smallest(paths));
  return files
    .filter((file) => file !== undefined)
    .map(({ path, sha256 }) => ({ path: `/${path.replace(/^usr\//, '')}`, sha256 }));
}
