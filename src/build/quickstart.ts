import type { Reporter } from '../base/progress.ts';
import { formatDuration } from '../base/units.ts';
import type { AcceleratorChoice } from '../boot/accelerator.ts';
import { flists } from '../boot/scenarios/flists.ts';
import type { Verdict } from '../boot/verdict.ts';
import type { PublishedFlist } from '../publish/publish.ts';
import { bootOutputs } from './boot.ts';
import type { StageStatus } from './engine.ts';
import { defaultBlockStore, publishFlists } from './flists.ts';
import { exportOutputs, type Output } from './outputs.ts';
import { formatStage } from './report.ts';
import type { Session } from './session.ts';

/** What the whole way from packages to a booted node made. */
export interface Quickstart {
  readonly stages: readonly StageStatus[];
  readonly outputs: readonly Output[];
  readonly published: readonly PublishedFlist[];
  readonly verdict: Verdict;
}

/** Builds the image, publishes the flists to a local store, serves them, boots the image and judges the node. */
export async function quickstart(
  session: Session,
  { reporter, accelerator }: { readonly reporter: Reporter; readonly accelerator?: AcceleratorChoice },
): Promise<Quickstart> {
  reporter.line('1/3 build the image');
  const stages = await session.engine.build({
    until: 'kernel_build',
    reporter,
    onStage: (status) => reporter.line(`  ${formatStage(status)}`),
  });
  const outputs = await exportOutputs(session, stages);
  reporter.line('2/3 publish modules and firmware as flists');
  const published = await publishFlists(session, {
    kinds: ['modules', 'firmware'],
    store: defaultBlockStore(session.project),
    routes: [],
    reporter,
  });
  reporter.line('3/3 boot it in QEMU, with a hub on loopback');
  const [verdict] = await bootOutputs(session, {
    scenarios: [flists],
    ...(accelerator && { accelerator }),
    onEvent: (_, event) => {
      if (event.kind === 'reached')
        reporter.line(`  ${formatDuration(event.at).padStart(8)}  ${event.milestone}`);
    },
  });
  return { stages, outputs, published, verdict: verdict! };
}
