/**
 * What long work calls between its small steps, so that the thread has time for others: it does nothing, or takes a while. `atOnce`
 * is for those who have nothing else to do.
 */
export type Turn = () => Promise<void> | undefined;

export const atOnce: Turn = () => undefined;

/** Milliseconds of work, and of rest after it. */
const [worked, rested] = [2, 6];

/** Gives the thread three quarters of the time. */
export function besideOthers(): Turn {
  let began = performance.now();
  return () => {
    if (performance.now() - began < worked) return undefined;
    return rest().then(() => {
      began = performance.now();
    });
  };
}

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, rested).unref());
}
