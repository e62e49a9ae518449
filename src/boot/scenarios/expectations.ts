import type { Device } from '../../node/devices.ts';
import type { FlistKind, FlistOutcome } from '../../node/flist-outcome.ts';
import type { LoadedModule } from '../../node/loaded-modules.ts';
import type { ExpectedFile } from '../scenario.ts';
import type { Expectation } from '../verdict.ts';

export function buildIdMatches(buildId: string): Expectation {
  return {
    sentence: `the node runs build ${buildId}, and says so on the console`,
    finding: ({ report, reached }) => {
      const shown = reached.find(({ milestone }) => milestone === 'ready')?.values['build-id'];
      if (report.buildId !== buildId) return `build '${report.buildId}'`;
      return shown === buildId ? undefined : `build '${shown ?? ''}' on the console`;
    },
  };
}

export function flistIs(kind: FlistKind, ...states: readonly FlistOutcome['state'][]): Expectation {
  return {
    sentence: `the flist of the ${kind} is ${states.join(' or ')}`,
    finding: ({ report }) => {
      const outcome = report.flists[kind];
      if (states.includes(outcome.state)) return undefined;
      return outcome.state === 'mounted'
        ? `mounted from ${outcome.manifest}`
        : `${outcome.state}: ${outcome.detail}`;
    },
  };
}

export function filesMatch(files: readonly ExpectedFile[]): Expectation[] {
  return files.map(({ path, sha256 }) => ({
    sentence: `${path} has the content that was packed`,
    finding: ({ report }) => {
      const check = report.checks.find((each) => each.path === path);
      if (!check) return 'no digest of it in the report';
      if ('error' in check) return check.error;
      return check.sha256 === sha256 ? undefined : `a file with the digest ${check.sha256}`;
    },
  }));
}

/** A device that QEMU presents, by the numbers that its bus shows for it. */
export interface PresentedDevice {
  readonly what: string;
  readonly bus: Device['bus'];
  readonly id: string;
  /** The module that must drive it. */
  readonly module: string;
}

export function isDriven({ what, bus, id, module }: PresentedDevice): Expectation {
  return {
    sentence: `the ${what} is driven by ${module}`,
    finding: ({ report }) => {
      const found = report.devices.filter((device) => device.bus === bus && device.id === id);
      if (found.length === 0) return `no ${bus} device ${id}`;
      if (found.some((device) => device.module === module)) return undefined;
      return `driven by ${found.map((device) => device.module ?? device.driver ?? 'nothing').join(', ')}`;
    },
  };
}

export function moduleCameFrom(module: string, origin: LoadedModule['origin']): Expectation {
  return {
    sentence: `the module ${module} is loaded from the ${origin}`,
    finding: ({ report }) => {
      const loaded = report.modules.find(({ name }) => name === module);
      if (!loaded) return 'it is not loaded';
      return loaded.origin === origin ? undefined : `it is loaded from the ${loaded.origin}`;
    },
  };
}

export const noFirmwareMissing: Expectation = {
  sentence: 'no driver asked for firmware in vain',
  finding: ({ report }) =>
    report.missingFirmware.length === 0 ? undefined : `nothing for ${report.missingFirmware.join(', ')}`,
};

export const noUnitFailed: Expectation = {
  sentence: 'no unit failed',
  finding: ({ failedUnits }) =>
    failedUnits.length === 0
      ? undefined
      : failedUnits.map(({ unit, reason }) => `${unit}: ${reason}`).join('; '),
};
