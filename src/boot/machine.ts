/** What runs the guest's code: QEMU's own translator, or the processor through the host's kernel. */
export type Accelerator = 'tcg' | 'kvm';

/** A QEMU option and its value, such as `['-device', 'e1000e,netdev=second']`. */
export type QemuOption = readonly [option: `-${string}`, value: string];

/** A virtual machine that boots a kernel and an initramfs, with its console on a serial port. */
export interface Machine {
  readonly kernel: string;
  readonly initramfs: string;
  readonly accelerator: Accelerator;
  /** Words of the kernel command line, after those that every boot has. */
  readonly commandLine?: readonly string[];
  /** 1536 by default: the packed and the unpacked initramfs are in memory at the same time for a moment. */
  readonly memoryMiB?: number;
  /**
   * `user`: the guest has a DHCP server, and reaches the host's loopback at `hostAddress`. `isolated`: DHCP answers, and
   * nothing else does.
   */
  readonly network?: 'user' | 'isolated';
  readonly devices?: readonly QemuOption[];
}

/** Where a guest of QEMU's user network finds the host that it runs on. */
export const hostAddress = '10.0.2.2';

/**
 * What every boot has on the kernel command line. A panic or an oops ends the guest at once (`panic=-1` reboots, and QEMU
 * runs with `-no-reboot`); level 6 shows the kernel's banner and its warnings, and costs no measurable time.
 */
const baseCommandLine = ['console=ttyS0', 'panic=-1', 'oops=panic', 'loglevel=6'];

/** The whole command that boots `machine`, program first. */
export function qemuCommand(machine: Machine, program = 'qemu-system-x86_64'): string[] {
  const restrict = machine.network === 'isolated' ? ',restrict=on' : '';
  const options: QemuOption[] = [
    ['-accel', machine.accelerator],
    ['-cpu', 'max'],
    ['-machine', 'q35'],
    ['-smp', '1'], // fewer panics under TCG than with more, and these boots do not compute
    ['-m', String(machine.memoryMiB ?? 1536)],
    ['-serial', 'stdio'],
    ['-kernel', machine.kernel],
    ['-initrd', machine.initramfs],
    ['-append', [...baseCommandLine, ...(machine.commandLine ?? [])].join(' ')],
    ['-netdev', `user,id=first${restrict}`],
    ['-device', 'virtio-net-pci,netdev=first,romfile='],
    ...(machine.devices ?? []),
  ];
  return [program, '-nodefaults', '-nographic', '-no-reboot', ...options.flat()];
}

/** A command as one line that can be pasted into a shell. */
export function shellLine(command: readonly string[]): string {
  return command
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}
