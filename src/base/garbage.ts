import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Gives back the memory of what is not in use any more, and the room that V8 keeps for more. V8 does that when it needs memory, so what a process made while it
 * started stays when it only waits from then on: above all what lies outside of V8's heap. Takes some 50 ms.
 */
export function collectGarbage(): void {
  collector()({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/**
 * To be called for each piece of work of a thread that is never idle. After the first of them garbage is collected once: from then on V8 knows how little is in use,
 * and lets less than 16 MB gather. It would let it grow to some 300 MB first, and nothing makes such a thread give that back. A flag of V8 for it
 * would make the thread start half as fast (`startThread`).
 */
export function soonCollectGarbage(): () => void {
  let left = 200;
  return () => {
    if (left > 0 && --left === 0) collector()({ type: 'major', execution: 'sync' });
  };
}

/** The flag stays: it is one for all threads, and another may be about to use it. */
function collector(): (options: object) => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}
