import { createRequire } from 'node:module';
import { FuseError } from './fuse-error.ts';

export type Koffi = typeof import('koffi')['default'];

/**
 * The optional npm package for calls that Node does not have.
 * @param purpose what it is needed for
 * @throws FuseError `missing-tool` where it is missing or does not run.
 */
export function loadKoffi(purpose: string): Koffi {
  try {
    return createRequire(import.meta.url)('koffi') as Koffi;
  } catch (cause) {
    throw new FuseError('missing-tool', `${purpose} needs the npm package koffi`, {
      cause,
      hint: 'npm install koffi',
    });
  }
}
