import { describe, expect, it } from 'vitest';
import { formatVerdict } from './format-verdict.ts';
import type { GuestEnd, GuestRun } from './qemu.ts';
import { watchTranscript } from './transcripts.fixture.ts';
import { type Expectation, judge, type Outcome, type Verdict } from './verdict.ts';
import { BootWatch } from './watch.ts';

const poweredOff: GuestEnd = { kind: 'exited', code: 0, signal: null };
const ended = (end: GuestEnd, emulatorLines: string[] = []): GuestRun => ({
  end,
  duration: 4870,
  emulatorLines,
});
const milestones = ['kernel', 'init', 'coldplug', 'ready'] as const;
const by = { milestones, expectations: [] as Expectation[] };

function verdictOf(outcome: Outcome, watch: BootWatch): Verdict {
  return {
    ...outcome,
    scenario: 'basic',
    milestones: watch.reached,
    notes: watch.notes,
    warnings: watch.warnings,
    failedUnits: watch.failedUnits,
    log: 'logs/basic.log',
    command: ['qemu', '-append', 'a b'],
    accelerator: { accelerator: 'tcg', reason: 'asked for' },
    duration: 4870,
  };
}

describe('a boot is judged', () => {
  it('ready when the node reported and powered itself off, and everything holds', () => {
    const watch = watchTranscript('ready');
    const outcome = judge(ended(poweredOff), watch, by);
    expect(outcome).toEqual({ outcome: 'ready', report: watch.report });
    expect(formatVerdict(verdictOf(outcome, watch)).split('\n')).toMatchInlineSnapshot(`
      [
        "basic: ready after 4.87 s (tcg: asked for)",
        "  build abc, kernel 6.1",
        "    firmware         0 ms   +0 ms",
        "    kernel           2 ms   +2 ms",
        "    init            20 ms  +18 ms  build=abc",
        "    stage1          21 ms   +1 ms",
        "    supervisor      22 ms   +1 ms",
        "    udevd           23 ms   +1 ms",
        "    network         24 ms   +1 ms",
        "    flist-modules   25 ms   +1 ms",
        "    flist-firmware  26 ms   +1 ms",
        "    depmod          27 ms   +1 ms",
        "    coldplug        28 ms   +1 ms",
        "    ready           30 ms   +2 ms  build-id=abc",
        "  warning: flist modules: unavailable: nobody answers; going on with what the image has",
        "  log: logs/basic.log",
        "  command: qemu -append 'a b'",
      ]
    `);
  });

  it('a panic, whatever else it reached', () => {
    const watch = watchTranscript('init-died');
    const outcome = judge(ended(poweredOff), watch, by);
    expect(outcome).toMatchObject({ outcome: 'panic', fatal: { name: 'init-died' } });
    expect(formatVerdict(verdictOf(outcome, watch))).toContain('PID 1 ended');
  });

  it('a timeout that says what was awaited', () => {
    const watch = watchTranscript('hang');
    const outcome = judge(ended({ kind: 'timeout', limit: 'idle' }), watch, by);
    expect(outcome).toEqual({ outcome: 'timeout', limit: 'idle', missing: 'coldplug' });
    expect(formatVerdict(verdictOf(outcome, watch))).toContain(
      'the console was silent for too long, while the milestone coldplug was awaited',
    );
  });

  it('without output when the firmware alone spoke', () => {
    const outcome = judge(ended({ kind: 'timeout', limit: 'overall' }), watchTranscript('kvm-silent'), by);
    expect(outcome).toEqual({ outcome: 'no-output', limit: 'overall' });
  });

  it('a failure of QEMU when that did not end well', () => {
    const failed = ended({ kind: 'exited', code: 1, signal: null }, ['could not load kernel']);
    expect(judge(failed, new BootWatch(), by)).toEqual({
      outcome: 'qemu-failed',
      reason: 'it ended with code 1\ncould not load kernel',
    });
    const killed = ended({ kind: 'exited', code: null, signal: 'SIGSEGV' });
    expect(judge(killed, new BootWatch(), by)).toMatchObject({ reason: 'it ended with SIGSEGV' });
  });

  it('powered off early when it never reported, however cleanly it ended', () => {
    const outcome = judge(ended(poweredOff), watchTranscript('hang'), by);
    expect(outcome).toEqual({ outcome: 'powered-off-early', missing: 'coldplug' });
  });

  it('by its expectations, each with what was found in its place', () => {
    const expectations: Expectation[] = [
      { sentence: 'the sky is blue', finding: () => 'grey' },
      { sentence: 'water is wet', finding: () => undefined },
      { sentence: 'the report is whole', finding: ({ report }) => report.units[7]!.name },
    ];
    const watch = watchTranscript('ready');
    const outcome = judge(ended(poweredOff), watch, { milestones, expectations });
    expect(outcome).toMatchObject({
      outcome: 'expectation-failed',
      failures: [
        { expectation: 'the sky is blue', found: 'grey' },
        { expectation: 'the report is whole', found: expect.stringContaining('lacks') },
      ],
    });
    expect(formatVerdict(verdictOf(outcome, watch))).toContain('expected: the sky is blue; found: grey');
  });

  it('by the order of its milestones', () => {
    const late = judge(ended(poweredOff), watchTranscript('ready'), {
      ...by,
      milestones: ['coldplug', 'init'],
    });
    expect(late).toMatchObject({
      failures: [
        { expectation: 'the milestone init is reached after coldplug', found: 'coldplug came later' },
      ],
    });
  });

  it('not ready when a node that reported skipped a milestone, or never powered off', () => {
    const watch = new BootWatch();
    for (const line of [
      '[    0.000000] Linux version 6',
      'zos: reached init',
      'zos: reached ready',
      'zos: report {}',
    ])
      watch.feed(line, 1);
    const outcome = judge(ended({ kind: 'stopped' }), watch, by);
    expect(outcome).toMatchObject({
      outcome: 'expectation-failed',
      failures: [
        { found: 'it went on and had to be stopped' },
        { expectation: 'the milestone coldplug is reached after init', found: 'it never was' },
      ],
    });
  });
});
