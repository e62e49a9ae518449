import { describeError } from '../../base/errors.ts';
import type { MountedFlist } from '../mount-flist.ts';

const endSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Asks the server of a kept mount to leave its place to another. */
export const leaveSignal = 'SIGUSR2';

/**
 * Keeps this process for a mount until that has ended. The first signal that asks the process to end unmounts, also one that comes
 * before it is mounted; a second one has its usual effect. The process then ends by itself: `process.exit` would hang while the device is being read.
 */
export async function serveUntilUnmounted(
  mounting: MountedFlist | Promise<MountedFlist>,
  log: (line: string) => void,
): Promise<void> {
  const end = async () => {
    stopListening();
    const mounted = await Promise.resolve(mounting).catch(() => {}); // who waits for that hears of it
    await mounted?.unmount().catch((error) => log(describeError(error)));
  };
  const stopListening = () => {
    for (const signal of endSignals) process.off(signal, end);
  };
  for (const signal of endSignals) process.on(signal, end);
  try {
    const mounted = await mounting;
    process.on(leaveSignal, () => void mounted.leave?.());
    await mounted.done;
  } finally {
    stopListening();
  }
}
