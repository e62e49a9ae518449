import { join } from 'node:path';
import type { Reporter } from '../base/progress.ts';
import { clampTimes, newestTime } from '../image/stamp.ts';
import { type PublishedFlist, publishFlist } from '../publish/publish.ts';
import { DirStore } from '../store/dir/dir.ts';
import type { Route } from '../store/route.ts';
import type { Store } from '../store/store.ts';
import type { FlistKind, FlistsValue } from './flist-names.ts';
import type { Project } from './project.ts';
import type { Session } from './session.ts';
import type { KernelValue } from './stages/kernel-modules.ts';

export interface PublishOptions {
  readonly kinds: readonly FlistKind[];
  readonly store: Store;
  readonly routes: readonly Route[];
  readonly reporter: Reporter;
}

/** Packs what the image leaves out, from the trees of the last build, into manifests under `dist/flists/`. */
export async function publishFlists(
  session: Session,
  { kinds, store, routes, reporter }: PublishOptions,
): Promise<PublishedFlist[]> {
  const { engine, project } = session;
  const kernel = await engine.value<KernelValue>('kernel_modules', 'kernel');
  const { names, firmwareTag } = await engine.value<FlistsValue>('modules_setup', 'flists');
  const published: PublishedFlist[] = [];
  for (const kind of kinds) {
    const tree =
      kind === 'modules'
        ? (await engine.tree('kernel_modules', 'modules')).subtree(`usr/lib/modules/${kernel.release}`)
        : (await engine.tree('base_firmware', 'all')).subtree('usr/lib/firmware');
    const tags =
      kind === 'modules'
        ? { kind, 'kernel-release': kernel.release, 'kernel-package': `${kernel.package}=${kernel.version}` }
        : { kind, 'firmware-tag': firmwareTag };
    published.push(
      await publishFlist({
        // A time that nobody gave becomes the newest of the tree itself, which no clock of this machine decides.
        tree: clampTimes(tree, newestTime(tree)),
        manifest: join(project.dist, 'flists', names[kind]),
        store,
        routes,
        tags,
        onProgress: (text) => reporter.status(`${names[kind]}: ${text}`),
      }),
    );
  }
  return published;
}

/** The store of a project that names none: a directory beside the manifests, which `zosbuilder hub` serves. */
export function defaultBlockStore(project: Project): Store {
  return new DirStore(join(project.dist, 'blocks'));
}
