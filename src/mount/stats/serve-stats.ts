import { describeError } from '../../base/errors.ts';
import type { MountedFlist } from '../mount-flist.ts';
import { StatsEndpoint } from './endpoint.ts';
import { removeStaleSockets, socketOf } from './socket-paths.ts';

export interface ServeStatsOptions {
  /** Of the socket; without it the usual one of the mount (`socketOf`), and that it cannot be made is only logged. */
  readonly path?: string | undefined;
  readonly log: (line: string) => void;
}

/**
 * Serves the figures of a mount until that ends.
 * @throws Failure when there can be no socket on the path that was given
 */
export async function serveStats(mounted: MountedFlist, { path, log }: ServeStatsOptions): Promise<void> {
  const socket = path ?? socketOf(mounted.source);
  if (socket === undefined) return;
  try {
    if (path === undefined) await removeStaleSockets();
    const endpoint = await StatsEndpoint.open(socket, () => mounted.figures());
    const close = () => endpoint.close();
    mounted.done.then(close, close);
  } catch (error) {
    if (path !== undefined) throw error;
    log(`rfs top will not see this mount: ${describeError(error)}`);
  }
}
