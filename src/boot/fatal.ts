/** A console line after which a boot cannot succeed any more. */
export interface FatalPattern {
  readonly name: string;
  readonly pattern: RegExp;
  /** What the line means and where to look, as one sentence. */
  readonly explanation: string;
}

/** A fatal line that was seen. */
export interface FatalLine {
  readonly name: string;
  readonly explanation: string;
  readonly line: string;
  readonly at: number;
}

/** What ends a boot at once, the more telling before the more general; the first that matches names the failure. */
export const fatalPatterns: readonly FatalPattern[] = [
  {
    name: 'nothing-to-boot',
    pattern: /^No bootable device/,
    explanation: 'the firmware found neither a kernel nor a boot medium',
  },
  {
    name: 'kvm-error',
    pattern: /KVM internal error|error: kvm run failed/,
    explanation: 'KVM on this machine cannot run the guest; boot with the accelerator tcg',
  },
  {
    name: 'initramfs-unpack',
    pattern: /Initramfs unpacking failed/i,
    explanation:
      'the kernel could not unpack the initramfs: damaged, compressed in a way that this kernel does not know, or larger than the memory',
  },
  {
    name: 'init-not-run',
    pattern: /Failed to execute \/\S+ \(error -\d+\)|No working init found/,
    explanation:
      'the kernel could not run /init: it, its interpreter or a library is missing in the initramfs',
  },
  {
    name: 'no-root',
    pattern: /Unable to mount root|Cannot open root device/,
    explanation:
      'the kernel found no /init in the initramfs and looked for a root file system: the initramfs is empty or was not given',
  },
  {
    name: 'init-died',
    pattern: /Attempted to kill init/,
    explanation: 'PID 1 ended: see the last lines before the panic',
  },
  {
    name: 'panic',
    pattern: /Kernel panic/,
    explanation: 'the kernel panicked: see its call trace in the log',
  },
  {
    name: 'oops',
    pattern: /\bOops: |BUG: unable to handle|general protection fault[,:].*\[#\d/,
    explanation: 'the kernel ran into a bug: see its call trace in the log',
  },
  {
    name: 'supervisor-out-of-memory',
    pattern: /Out of memory: Killed process \d+ \((?:node|MainThread|init|busybox)\)/,
    explanation: 'the node has too little memory: the kernel killed its supervisor or init',
  },
  {
    name: 'unknown-symbol',
    pattern: /\bUnknown symbol \S+ \(err -?\d+\)/,
    explanation: 'a module does not fit this kernel, or one that it depends on was not loaded first',
  },
  {
    name: 'module-format',
    pattern: /version magic '.*' should be '/,
    explanation: 'a module was built for another kernel release',
  },
];

/** The first pattern that a line of the kernel or of QEMU matches. */
export function fatalIn(line: string): FatalPattern | undefined {
  return fatalPatterns.find(({ pattern }) => pattern.test(line));
}
