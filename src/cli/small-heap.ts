import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8 from giving young objects ever more room, up to 134 MB of it, for a command that makes and forgets millions of small
 * ones: with the 17 MB that it begins with it is as fast.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
