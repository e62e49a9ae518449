import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Gives back the memory of what is not in use any more, and the room that V8 keeps for more. V8 does that when it needs memory, so what a process made while it
 * started stays when it only waits from then on: above all what lies outside of V8's heap. Takes some 50 ms.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: object) => void;
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/**
 * Makes the threads that start from now on collect their garbage from 16 MiB on. V8 lets it grow to some 300 MB first, and a thread that is never idle gives none
 * of that back.
 */
export function keepThreadsSmall(): void {
  setFlagsFromString('--initial-old-space-size=16');
}
