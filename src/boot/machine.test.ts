import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { qemuCommand, shellLine } from './machine.ts';

const machine = { kernel: '/k/vmlinuz', initramfs: '/i/initramfs.cpio.zst', accelerator: 'tcg' } as const;

const argumentOf = (command: readonly string[], option: string) => command[command.indexOf(option) + 1];

describe('the command of a machine', () => {
  it('boots the kernel and the initramfs with a console on its standard output', () => {
    const command = qemuCommand({
      ...machine,
      commandLine: ['zos.poweroff', 'FLISTS_BASE_URL=http://10.0.2.2:1'],
    });
    expect(command[0]).toBe('qemu-system-x86_64');
    expect(command).toContain('-no-reboot');
    expect(argumentOf(command, '-kernel')).toBe('/k/vmlinuz');
    expect(argumentOf(command, '-initrd')).toBe('/i/initramfs.cpio.zst');
    expect(argumentOf(command, '-accel')).toBe('tcg');
    expect(argumentOf(command, '-m')).toBe('1536');
    expect(argumentOf(command, '-append')).toBe(
      'console=ttyS0 panic=-1 oops=panic loglevel=6 zos.poweroff FLISTS_BASE_URL=http://10.0.2.2:1',
    );
  });

  it('keeps an isolated guest from the host', () => {
    expect(argumentOf(qemuCommand({ ...machine, network: 'isolated' }), '-netdev')).toBe(
      'user,id=first,restrict=on',
    );
    expect(argumentOf(qemuCommand(machine), '-netdev')).toBe('user,id=first');
  });

  it('has the devices of the scenario last, in their order', () => {
    const command = qemuCommand({
      ...machine,
      devices: [
        ['-device', 'qemu-xhci'],
        ['-device', 'usb-kbd'],
      ],
    });
    expect(command.slice(-4)).toEqual(['-device', 'qemu-xhci', '-device', 'usb-kbd']);
  });

  it('can be pasted into a shell', () => {
    const word = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/\0/g, ''));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), (words) => {
        const printed = execFileSync('sh', ['-c', `printf '%s\\0' ${shellLine(words)}`]);
        expect(printed.toString().split('\0').slice(0, -1)).toEqual(words);
      }),
      { numRuns: 30 },
    );
  });
});
