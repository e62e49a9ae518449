import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { digestOf } from '../base/digest.ts';
import { readTextIfPresent, writeAtomic } from '../base/files.ts';
import { formatDuration } from '../base/units.ts';
import { type Accelerator, type Machine, qemuCommand } from './machine.ts';
import { runGuest } from './qemu.ts';
import { BootWatch } from './watch.ts';

/**
 * What a user asks for: `tcg`; `auto`, which is KVM where it is known or found to work; `kvm`, which is the same but tries
 * again where it was found not to work. Neither is a promise: a machine whose KVM fails boots under TCG.
 */
export type AcceleratorChoice = (typeof acceleratorChoices)[number];
export const acceleratorChoices = ['tcg', 'kvm', 'auto'] as const satisfies readonly (Accelerator | 'auto')[];

/** What is used, and why, as half a sentence. */
export interface AcceleratorDecision {
  readonly accelerator: Accelerator;
  readonly reason: string;
}

export interface ProbeOptions {
  /** The machine that is to be booted; the probe is a boot of it. */
  readonly machine: Omit<Machine, 'accelerator'>;
  readonly program: string;
  readonly qemuVersion: string;
  /** Where the answers are remembered. */
  readonly stateDirectory: string;
  /** The console of the probe. */
  readonly log: string;
  readonly device?: string;
}

/** Within this time KVM brings any kernel to its first program; TCG takes a third of it. */
export const probeLimit = 10_000;

/**
 * Decides what runs a guest. An answering `/dev/kvm` proves nothing: under some hypervisors it makes a virtual machine and
 * then cannot run a kernel in it. So KVM is used only after it has brought the very kernel and initramfs that are to be
 * booted to their first program. The answer is remembered for this QEMU, processor, host kernel and guest kernel.
 */
export async function chooseAccelerator(
  choice: AcceleratorChoice,
  options: ProbeOptions,
): Promise<AcceleratorDecision> {
  if (choice === 'tcg') return { accelerator: 'tcg', reason: 'asked for' };
  const device = options.device ?? '/dev/kvm';
  const reachable = await access(device, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!reachable) return { accelerator: 'tcg', reason: `${device} is not there or not ours to open` };
  const memory = join(options.stateDirectory, 'kvm-probes.json');
  const key = await probeKey(options);
  const known = parseProbes(await readTextIfPresent(memory));
  const remembered = known[key];
  if (remembered && (remembered.accelerator === 'kvm' || choice === 'auto')) return remembered;
  const decision = await probe(options);
  await writeAtomic(memory, `${JSON.stringify({ ...known, [key]: decision }, null, 2)}\n`);
  return decision;
}

async function probe({ machine, program, log }: ProbeOptions): Promise<AcceleratorDecision> {
  const watch = new BootWatch();
  const run = await runGuest({
    command: qemuCommand({ ...machine, accelerator: 'kvm' }, program),
    log,
    watch,
    limits: { overall: probeLimit, milestone: probeLimit, idle: probeLimit },
    farewell: (event) =>
      event.kind === 'fatal' || (event.kind === 'reached' && event.milestone === 'init') ? 0 : undefined,
  });
  if (watch.hasReached('init')) {
    return { accelerator: 'kvm', reason: `a probe boot reached init in ${formatDuration(run.duration)}` };
  }
  const found =
    watch.fatal?.line ??
    (run.end.kind === 'timeout'
      ? `it did not reach init within ${formatDuration(probeLimit)}`
      : (run.emulatorLines.at(-1) ?? 'it ended before init'));
  return { accelerator: 'tcg', reason: `a probe boot with KVM failed: ${found}` };
}

async function probeKey({ machine, qemuVersion }: ProbeOptions): Promise<string> {
  const kernel = createHash('sha256');
  await pipeline(createReadStream(machine.kernel), kernel);
  return digestOf({
    qemu: qemuVersion,
    processor: cpus()[0]?.model ?? '',
    host: release(),
    kernel: kernel.digest('hex'),
  });
}

/** The remembered answers; a damaged memory is no memory. */
function parseProbes(text: string | undefined): Record<string, AcceleratorDecision> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    const entries = Object.entries(value ?? {}) as [string, Partial<AcceleratorDecision> | null][];
    return Object.fromEntries(
      entries.filter(
        (entry): entry is [string, AcceleratorDecision] =>
          (entry[1]?.accelerator === 'kvm' || entry[1]?.accelerator === 'tcg') &&
          typeof entry[1].reason === 'string',
      ),
    );
  } catch {
    return {};
  }
}
