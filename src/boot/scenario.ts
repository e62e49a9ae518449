import { join } from 'node:path';
import { Failure } from '../base/errors.ts';
import { type AcceleratorChoice, chooseAccelerator } from './accelerator.ts';
import { type Machine, type QemuOption, qemuCommand } from './machine.ts';
import { defaultLimits, type GuestLimits, qemuVersion, runGuest } from './qemu.ts';
import { type Expectation, judge, type Verdict } from './verdict.ts';
import { type BootEvent, type BootMilestone, BootWatch } from './watch.ts';

/** A file that the node is to read, and what it must find in it. */
export interface ExpectedFile {
  /** Its absolute path in the node. */
  readonly path: string;
  readonly sha256: string;
}

/** What a scenario is told of the image that it boots. */
export interface ScenarioInputs {
  readonly buildId: string;
  /** Where the guest finds the flists: the address of a hub on this host as the guest sees it. */
  readonly flistsUrl?: string;
  readonly files: readonly ExpectedFile[];
}

/** A boot with a purpose, as data. */
export interface Scenario {
  readonly name: string;
  /** What a `ready` verdict proves, as a sentence. */
  readonly proves: string;
  /** Whether `flistsUrl` must be given. */
  readonly needsHub: boolean;
  readonly network: NonNullable<Machine['network']>;
  readonly devices: readonly QemuOption[];
  readonly commandLine: (inputs: ScenarioInputs) => readonly string[];
  /** The milestones that must be reached, in this order. */
  readonly milestones: readonly BootMilestone[];
  readonly expectations: (inputs: ScenarioInputs) => readonly Expectation[];
}

export interface BootOptions extends Partial<ScenarioInputs> {
  readonly kernel: string;
  readonly initramfs: string;
  readonly buildId: string;
  /** Gets `SCENARIO.log`, the console of the boot. */
  readonly logDirectory: string;
  /** Where it is remembered whether KVM works here. */
  readonly stateDirectory: string;
  /** `tcg` by default. */
  readonly accelerator?: AcceleratorChoice;
  readonly limits?: GuestLimits;
  /** The emulator; `qemu-system-x86_64` by default. */
  readonly program?: string;
  readonly onEvent?: (event: BootEvent) => void;
}

/** How long a guest may take to power itself off after its report, and to print its call trace after a panic. */
const farewells = { report: 15_000, fatal: 1_500 } as const;

/**
 * Boots an image in QEMU and judges it. The verdict tells every way in which a boot ends; only what keeps a boot from being
 * tried is thrown.
 * @throws Failure `missing-tool` without a usable QEMU, `not-found` without an address of flists where the scenario needs one
 */
export async function bootScenario(scenario: Scenario, options: BootOptions): Promise<Verdict> {
  if (scenario.needsHub && options.flistsUrl === undefined) {
    throw new Failure(
      'not-found',
      `the scenario ${scenario.name} needs flists, and no address of them is given`,
      {
        hint: 'start a hub, or boot the scenario basic',
      },
    );
  }
  const program = options.program ?? 'qemu-system-x86_64';
  const version = await qemuVersion(program);
  const inputs: ScenarioInputs = { files: [], ...options };
  const machine = {
    kernel: options.kernel,
    initramfs: options.initramfs,
    commandLine: ['zos.poweroff', ...digestRequest(inputs.files), ...scenario.commandLine(inputs)],
    network: scenario.network,
    devices: scenario.devices,
  };
  const accelerator = await chooseAccelerator(options.accelerator ?? 'tcg', {
    machine,
    program,
    qemuVersion: version,
    stateDirectory: options.stateDirectory,
    log: join(options.logDirectory, 'kvm-probe.log'),
  });
  const command = qemuCommand({ ...machine, accelerator: accelerator.accelerator }, program);
  const log = join(options.logDirectory, `${scenario.name}.log`);
  const watch = new BootWatch();
  const run = await runGuest({
    command,
    log,
    watch,
    limits: options.limits ?? defaultLimits,
    farewell: ({ kind }) => (kind === 'report' || kind === 'fatal' ? farewells[kind] : undefined),
    ...(options.onEvent && { onEvent: options.onEvent }),
  });
  const by = { milestones: scenario.milestones, expectations: scenario.expectations(inputs) };
  return {
    ...judge(run, watch, by),
    scenario: scenario.name,
    milestones: watch.reached,
    notes: watch.notes,
    warnings: watch.warnings,
    failedUnits: watch.failedUnits,
    log,
    command,
    accelerator,
    duration: run.duration,
  };
}

/** Asks the node for the digests of files. */
function digestRequest(files: readonly ExpectedFile[]): string[] {
  return files.length === 0 ? [] : [`zos.sha256=${files.map(({ path }) => path).join(',')}`];
}
