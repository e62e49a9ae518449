import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConsoleLine, formatConsoleLine, milestones, parseConsoleLine } from './console.ts';
import type { NodeReport } from './report.ts';

describe('a console line', () => {
  it('has its documented text', () => {
    expect(
      formatConsoleLine({
        kind: 'reached',
        milestone: 'network',
        values: { interface: 'eth0', state: 'up' },
      }),
    ).toBe('zos: reached network interface=eth0 state=up');
    expect(formatConsoleLine({ kind: 'reached', milestone: 'init', values: {} })).toBe('zos: reached init');
    expect(formatConsoleLine({ kind: 'note', text: 'hello' })).toBe('zos: note hello');
    expect(formatConsoleLine({ kind: 'failed', unit: 'depmod', reason: 'exited with code 1' })).toBe(
      'zos: failed depmod exited with code 1',
    );
  });

  it('stays one line, whatever is in it', () => {
    expect(formatConsoleLine({ kind: 'warning', text: 'a\r\nzos: reached ready\u001b[2J' })).toBe(
      'zos: warning a zos: reached ready [2J',
    );
    expect(formatConsoleLine({ kind: 'reached', milestone: 'init', values: { a: 'b \n c' } })).toBe(
      'zos: reached init a=b_c',
    );
  });

  it('is found behind a prompt and between terminal sequences', () => {
    const line = { kind: 'reached', milestone: 'ready', values: { 'build-id': '12' } };
    expect(
      parseConsoleLine('Please press Enter to activate this console. zos: reached ready build-id=12\r'),
    ).toEqual(line);
    expect(parseConsoleLine('\u001b[0mzos: reached ready build-id=12\u001b[0m')).toEqual(line);
  });

  it('is none when it says nothing known, or its report is damaged', () => {
    for (const text of [
      '',
      'zos:',
      'zos: reached',
      'zos: reached moon',
      'Linux version 6',
      'zos: report {"a":',
    ])
      expect(parseConsoleLine(text)).toBeUndefined();
  });

  it('reads back as it was written', () => {
    const text = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/);
    const word = fc.stringMatching(/^[a-z][a-z0-9.:/-]{0,12}$/);
    const line = fc.oneof<fc.Arbitrary<ConsoleLine>[]>(
      fc.record({
        kind: fc.constant('reached'),
        milestone: fc.constantFrom(...milestones),
        values: fc.dictionary(word, word).map((values) => ({ ...values })),
      }),
      fc.record({ kind: fc.constantFrom('note', 'warning'), text }),
      fc.record({ kind: fc.constant('failed'), unit: word, reason: text }),
      fc.record({
        kind: fc.constant('report'),
        report: fc.record({
          buildId: fc.string({ unit: 'binary' }),
        }) as fc.Arbitrary<unknown> as fc.Arbitrary<NodeReport>,
      }),
    );
    fc.assert(
      fc.property(line, (value) => {
        expect(parseConsoleLine(formatConsoleLine(value))).toEqual(value);
      }),
    );
  });
});
