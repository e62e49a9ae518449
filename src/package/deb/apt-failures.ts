import { Failure, type FailureKind } from '../../base/errors.ts';
import { closestName } from '../../base/names.ts';
import type { AptOutput } from './apt-process.ts';

/** The error lines of apt, without their mark. */
function errorsOf({ stderr }: AptOutput): string[] {
  return [...stderr.matchAll(/^[EW]: (.*)$/gm)].map(([, line]) => line!);
}

function causeOf(output: AptOutput): Error {
  return new Error([...new Set(errorsOf(output))].slice(0, 4).join('; ') || 'apt printed no error');
}

/** What apt's errors mean when it fetches something; the first pattern that is found counts. */
const fetchProblems: readonly { pattern: RegExp; kind: FailureKind; what: string; hint: string }[] = [
  {
    pattern: / 40[137] {2}/,
    kind: 'denied',
    what: 'the mirror or a proxy refuses',
    hint: "look at the proxy and the credentials in the host's apt configuration (apt_auth.conf(5))",
  },
  {
    pattern: /does not have a Release file| 4\d\d {2}/,
    kind: 'not-found',
    what: 'the mirror does not have it',
    hint: 'look at suite and components of the recipe; if they are right, update the package lists',
  },
  {
    pattern: /Hash Sum mismatch|unexpected size/,
    kind: 'corrupt',
    what: 'the mirror gives other bytes than the archive has signed',
    hint: 'try again in some minutes: the mirror may be in the middle of an update',
  },
  {
    pattern: /NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|is not signed|not valid yet|expired/,
    kind: 'corrupt',
    what: "the archive's signature cannot be verified",
    hint: "update the host's debian-archive-keyring, and look at its clock",
  },
  {
    pattern: /Could not get lock/,
    kind: 'conflict',
    what: 'another build uses the same package lists',
    hint: 'wait until it is done',
  },
  {
    pattern: /(?:)/,
    kind: 'unavailable',
    what: 'the archive does not answer',
    hint: "look at the network, and at the proxy in the host's apt configuration; what is cached needs no network",
  },
];

/** Why package lists or packages could not be fetched. */
export function fetchFailure(task: string, output: AptOutput): Failure {
  const errors = errorsOf(output).join('\n');
  const { kind, what, hint } = fetchProblems.find(({ pattern }) => pattern.test(errors))!;
  return new Failure(kind, `${task}: ${what}`, { cause: causeOf(output), hint });
}

/** What an explanation of apt's solver may ask about the archive. */
export interface ArchiveNames {
  packageNames(): Promise<Iterable<string>>;
  versionsOf(name: string): Promise<readonly string[]>;
  readonly suites: readonly string[];
}

/** Why apt's solver found no set of packages. */
export async function solverFailure(output: AptOutput, archive: ArchiveNames): Promise<Failure> {
  const unknown = [...output.stderr.matchAll(/^E: Unable to locate package (\S+)$/gm)].map(
    ([, name]) => name!,
  );
  if (unknown.length > 0) return unknownPackages(unknown, await archive.packageNames());

  const version = /^E: Version '(.*)' for '(.*)' was not found$/m.exec(output.stderr);
  if (version)
    return new Failure('not-found', `no version ${version[1]} of the package ${version[2]}`, {
      hint: `the archive has: ${(await archive.versionsOf(version[2]!)).join(', ') || 'none'}`,
    });

  const suite = /^E: Release '(.*)' for '(.*)' was not found$/m.exec(output.stderr);
  if (suite)
    return new Failure('not-found', `no package ${suite[2]} in the suite "${suite[1]}"`, {
      hint: `the sources have: ${archive.suites.join(', ')}`,
    });

  const virtual = /^E: Package '(.*)' has no installation candidate$/m.exec(output.stderr)?.[1];
  if (virtual !== undefined) return virtualPackage(virtual, output.stdout);

  const unmet = /^The following packages have unmet dependencies:\n((?: .*\n)+)/m.exec(output.stdout)?.[1];
  if (unmet !== undefined)
    return new Failure('conflict', 'the packages cannot be installed together', {
      cause: new Error(
        unmet
          .trim()
          .split(/\s*\n\s*/)
          .slice(0, 6)
          .join('; '),
      ),
      hint: 'take one of them out of the list, or choose another version',
    });
  return new Failure('failed', 'apt found no set of packages', { cause: causeOf(output) });
}

/** A failure for names that are no packages, with what was likely meant. */
export function unknownPackages(unknown: readonly string[], names: Iterable<string>): Failure {
  const candidates = [...names];
  const guesses = unknown.map((name) => closestName(name, candidates)).filter((name) => name !== undefined);
  return new Failure(
    'not-found',
    `the archive has no package ${unknown.map((name) => `"${name}"`).join(', ')}`,
    {
      hint:
        guesses.length > 0
          ? `did you mean ${guesses.map((name) => `"${name}"`).join(', ')}?`
          : 'look at its spelling, and at suite and components of the recipe',
    },
  );
}

function virtualPackage(name: string, stdout: string): Failure {
  const list = /is a virtual package provided by:\n((?: .*\n)+)/.exec(stdout)?.[1] ?? '';
  const providers = [...list.matchAll(/^ +(\S+)/gm)].map(([, provider]) => provider!).sort();
  return new Failure('not-found', `"${name}" is no package of its own`, {
    hint:
      providers.length > 0
        ? `take one that provides it: ${providers.join(', ')}`
        : 'it is in another component or suite',
  });
}
