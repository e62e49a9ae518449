import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatConsoleLine } from '../node/console.ts';
import type { NodeReport } from '../node/report.ts';
import { watchTranscript } from './transcripts.fixture.ts';
import { BootWatch } from './watch.ts';

describe('the boot watch, on recorded consoles', () => {
  it('follows a boot from the firmware to the report', () => {
    const watch = watchTranscript('ready');
    expect(watch.reached.map(({ milestone }) => milestone)).toEqual([
      'firmware',
      'kernel',
      'init',
      'stage1',
      'supervisor',
      'udevd',
      'network',
      'flist-modules',
      'flist-firmware',
      'depmod',
      'coldplug',
      'ready',
    ]);
    expect(watch.reached.at(-1)?.values).toEqual({ 'build-id': 'abc' });
    expect(watch.warnings).toHaveLength(1);
    expect(watch.report?.buildId).toBe('abc');
    expect(watch.fatal).toBeUndefined();
  });

  it('names the death of PID 1', () => {
    const watch = watchTranscript('init-died');
    expect(watch.fatal).toMatchObject({
      name: 'init-died',
      line: expect.stringContaining('exitcode=0x00000300'),
    });
    expect(watch.reached.at(-1)?.milestone).toBe('init');
  });

  it('names the damaged initramfs, not the panic that follows from it', () => {
    expect(watchTranscript('bad-initramfs').fatal?.name).toBe('initramfs-unpack');
  });

  it('sees that a guest hangs after its last milestone', () => {
    const watch = watchTranscript('hang');
    expect(watch.reached.at(-1)?.milestone).toBe('stage1');
    expect(watch).toMatchObject({ fatal: undefined, report: undefined, kernelSpoke: true });
  });

  it('sees that the firmware spoke and the kernel did not', () => {
    const watch = watchTranscript('kvm-silent');
    expect(watch.reached.map(({ milestone }) => milestone)).toEqual(['firmware']);
    expect(watch.kernelSpoke).toBe(false);
  });

  it('puts lines together again that the kernel broke into', () => {
    const watch = watchTranscript('interrupted-lines');
    const said = 'the node says a line that is long enough to be broken into by the kernel';
    expect(watch.notes).toEqual(Array.from({ length: 40 }, (_, i) => `${i} ${said}`));
    expect(watch.hasReached('ready')).toBe(true);
  });
});

const feed = (lines: readonly string[]) => {
  const watch = new BootWatch();
  const events = lines.flatMap((line, index) => watch.feed(line, index));
  return { watch, events };
};

describe('the boot watch', () => {
  it('counts a milestone once, at its first time', () => {
    const { watch, events } = feed(['zos: reached init', 'zos: reached init']);
    expect(watch.reached).toEqual([{ milestone: 'init', at: 0, values: {} }]);
    expect(events).toHaveLength(1);
  });

  it('takes no milestone that it does not know', () => {
    expect(feed(['zos: reached nirvana']).watch.reached).toEqual([]);
  });

  it('keeps what failed and why', () => {
    const { watch } = feed(['zos: failed udevd code 127: not found']);
    expect(watch.failedUnits).toEqual([{ unit: 'udevd', reason: 'code 127: not found' }]);
  });

  it.each([
    ['[    1.2] Kernel panic - not syncing: Fatal exception', 'panic'],
    ['[    1.2] ---[ end Kernel panic - not syncing: x ]---', 'panic'],
    ['[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)', 'no-root'],
    ['[    1.2] Kernel panic - not syncing: No working init found.', 'init-not-run'],
    ['[    1.2] Failed to execute /init (error -2)', 'init-not-run'],
    ['[    1.2] BUG: unable to handle page fault for address: 0000000000001000', 'oops'],
    ['[    1.2] Oops: 0002 [#1] PREEMPT SMP NOPTI', 'oops'],
    ['[    1.2] Out of memory: Killed process 77 (node) total-vm:1kB', 'supervisor-out-of-memory'],
    ['[    1.2] e1000e: Unknown symbol ptp_clock_index (err -2)', 'unknown-symbol'],
    ["[    1.2] fuse: version magic '6.1.0 SMP' should be '6.1.1 SMP'", 'module-format'],
    ['No bootable device.', 'nothing-to-boot'],
  ])('gives up at %s', (line, name) => {
    const { watch, events } = feed([line]);
    expect(watch.fatal).toMatchObject({ name, line });
    expect(watch.fatal?.explanation).not.toBe('');
    expect(events.map(({ kind }) => kind)).toEqual(['fatal']);
  });

  it('goes on after the kernel killed a process that the node can do without', () => {
    expect(feed(['[    1.2] Out of memory: Killed process 9 (dd) total-vm:1kB']).watch.fatal).toBeUndefined();
  });

  it('gives up when KVM does', () => {
    const watch = new BootWatch();
    watch.feedEmulator('KVM internal error. Suberror: 1', 5);
    expect(watch.fatal?.name).toBe('kvm-error');
    expect(watch.kernelSpoke).toBe(false);
  });

  it('names the first fatal line only', () => {
    const { watch, events } = feed(['Initramfs unpacking failed: x', 'Kernel panic - not syncing: y']);
    expect(watch.fatal?.name).toBe('initramfs-unpack');
    expect(events).toHaveLength(1);
  });

  it('takes a report that quotes a panic and a kernel message for a report', () => {
    const report = {
      buildId: 'abc',
      missingFirmware: ['[    3.123456] Kernel panic'],
    } as unknown as NodeReport;
    const { watch } = feed([formatConsoleLine({ kind: 'report', report }), 'zos: reached ready']);
    expect(watch.report).toEqual(report);
    expect(watch.hasReached('ready')).toBe(true);
    expect(watch.fatal).toBeUndefined();
  });

  it('puts a line together again that began behind a prompt', () => {
    const { watch } = feed([
      'Please press Enter. zos: reached sup[    3.051914] e100: up',
      'ervisor units=9',
    ]);
    expect(watch.reached).toEqual([{ milestone: 'supervisor', at: 1, values: { units: '9' } }]);
  });

  it('takes a damaged report for none', () => {
    expect(feed(['zos: report {"buildId":']).watch.report).toBeUndefined();
  });

  it('begins anew with the next line of the node when the rest of an interrupted one never comes', () => {
    const { watch } = feed(['zos: note lo[    3.051914] x', 'zos: reached init', 'zos: reached stage1']);
    expect(watch.notes).toEqual(['lo']);
    expect(watch.reached.map(({ milestone }) => milestone)).toEqual(['init', 'stage1']);
  });

  it('sees every line of the node wherever the kernel breaks into it', () => {
    const texts = fc.array(fc.stringMatching(/^[a-z][a-z ]{0,30}[a-z]$/), { minLength: 1, maxLength: 5 });
    const breaks = fc.array(fc.record({ place: fc.nat(), messages: fc.integer({ min: 1, max: 3 }) }));
    fc.assert(
      fc.property(texts, breaks, (notes, places) => {
        const lines = notes.flatMap((text, index) => {
          const line = formatConsoleLine({ kind: 'note', text });
          const broken = places[index];
          if (!broken) return [line];
          const at = 1 + (broken.place % line.length);
          const messages = Array.from({ length: broken.messages }, (_, i) => `[    3.05191${i}] e100: up`);
          return [line.slice(0, at) + messages[0], ...messages.slice(1), line.slice(at)];
        });
        expect(feed(lines).watch.notes).toEqual(notes);
      }),
    );
  });

  it('takes any text without an error', () => {
    const line = fc.oneof(
      fc.string(),
      fc.string().map((text) => `zos: ${text}`),
      fc.constant('zos: report null'),
    );
    fc.assert(fc.property(fc.array(line), (lines) => void feed(lines)));
  });
});
