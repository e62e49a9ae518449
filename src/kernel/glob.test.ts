import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { run } from '../base/exec.ts';
import { isPattern, matchesPath, matchesPattern } from './glob.ts';

describe('patterns', () => {
  test('match what the shell matches', async () => {
    const piece = fc.constantFrom('a', 'b', '/', '-', '*', '?', '[ab]', '[!a]', '[a-b]', '[!-b]', '**');
    const pattern = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', '/', '-'), { maxLength: 8 })
      .map((pieces) => pieces.join(''));
    const pairs = fc.sample(fc.tuple(text, pattern), { numRuns: 2000, seed: 1 });
    const script = 'while [ $# -gt 0 ]; do case "$1" in $2) echo 1;; *) echo 0;; esac; shift 2; done';
    const { stdout } = await run('sh', ['-c', script, 'sh', ...pairs.flat()]);
    const expected = stdout.toString().trim().split('\n');
    for (const [index, [one, other]] of pairs.entries())
      expect(matchesPattern(one, other) ? '1' : '0', `${one} in ${other}`).toBe(expected[index]);
  });

  test('take no longer for being nasty', () => {
    expect(matchesPattern('a'.repeat(2000), `${'*a'.repeat(200)}*b`)).toBe(false);
    expect(matchesPath('a/'.repeat(500), `${'**/a/'.repeat(100)}b`)).toBe(false);
  });

  test('of paths stay within a component, but for **', () => {
    expect(matchesPath('intel/ice/ddp/ice.pkg', 'intel/**')).toBe(true);
    expect(matchesPath('intel/ice/ddp/ice.pkg', 'intel/*')).toBe(false);
    expect(matchesPath('intel/ice/ddp/ice.pkg', '**/*.pkg')).toBe(true);
    expect(matchesPath('ice.pkg', '**/*.pkg')).toBe(true);
    expect(matchesPath('intelligent', 'intel/**')).toBe(false);
    expect(matchesPath('ql2100_fw.bin', 'ql2?00_fw.bin')).toBe(true);
  });

  test('are told from plain names', () => {
    expect(isPattern('bnx2/*.fw')).toBe(true);
    expect(isPattern('bnx2/bnx2-mips-06-6.2.3.fw')).toBe(false);
  });
});
