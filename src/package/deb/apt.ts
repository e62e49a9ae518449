import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { digestOf } from '../../base/digest.ts';
import { Failure } from '../../base/errors.ts';
import { readTextIfPresent, writeAtomic } from '../../base/files.ts';
import { compareBytes } from '../../base/names.ts';
import { type AptPaths, aptConfiguration, aptPaths } from './apt-config.ts';
import { fetchFailure, solverFailure, unknownPackages } from './apt-failures.ts';
import { type AptOutput, runApt } from './apt-process.ts';
import { type AptSource, formatSources } from './apt-sources.ts';
import { type ControlFields, formatControlFields, parseControlFields } from './control-fields.ts';
import { type Lock, lockEntry } from './lock.ts';
import { nameInSpec, type PackageRequest } from './package-list.ts';

export interface AptOptions {
  /** Where lists and caches lie; each set of sources gets a directory of its own in it. */
  readonly directory: string;
  readonly sources: readonly AptSource[];
  /** Debian's name of it: `amd64`. */
  readonly architecture: string;
  readonly onProgress?: (text: string) => void;
}

/**
 * The host's apt with a configuration, state and cache of its own: it resolves, authenticates and downloads, for root and
 * for any user, and never reads or changes what the host has installed.
 */
export class Apt {
  readonly #paths: AptPaths;
  readonly #updated: string;
  readonly #sources: readonly AptSource[];
  readonly #onProgress: (text: string) => void;

  private constructor(directory: string, { sources, onProgress = () => {} }: AptOptions) {
    this.#paths = aptPaths(directory);
    this.#updated = join(directory, 'updated');
    this.#sources = sources;
    this.#onProgress = onProgress;
  }

  /** Writes the configuration; asks nothing of the network. */
  static async open(options: AptOptions): Promise<Apt> {
    const { sources, architecture } = options;
    const apt = new Apt(resolve(options.directory, digestOf([sources, architecture]).slice(0, 16)), options);
    const paths = apt.#paths;
    const { stdout: hostConfig } = await runApt('apt-config', ['dump']);
    for (const part of [paths.lists, join(paths.cache, 'archives')])
      await mkdir(join(part, 'partial'), { recursive: true });
    await writeOnce(paths.config, aptConfiguration(paths, { architecture, hostConfig }));
    await writeOnce(paths.sources, formatSources(sources));
    await writeOnce(paths.status, '');
    return apt;
  }

  /**
   * Fetches the package lists when there are none yet, or always with `force`. Old lists stay usable when it fails.
   * @throws Failure `unavailable` without network, `not-found` for a suite that the mirror does not have, `corrupt` when
   * the archive's signature is not good.
   */
  async update({ force = false }: { readonly force?: boolean } = {}): Promise<void> {
    if (!force && (await readTextIfPresent(this.#updated)) !== undefined) return;
    const result = await this.run('apt-get', ['-q', 'update'], { task: 'package lists' });
    if (result.code !== 0) throw fetchFailure('cannot fetch the package lists', result);
    await writeAtomic(this.#updated, '');
  }

  /**
   * Every package that a machine without any needs for `packages` to work, by name: apt's own solution, without
   * recommended packages, as if those of `exclude` were there already.
   * @throws Failure `not-found` for a package, version or suite that the archive does not have, with what was likely
   * meant; `conflict` when they exclude each other; `config` for a spec that apt would take for something else.
   */
  async resolve({ packages, exclude }: PackageRequest): Promise<Lock> {
    checkRequest({ packages, exclude });
    await this.update();
    const status = await this.#statusWith(exclude);
    const options = ['-o', `Dir::State::status=${status}`];
    const solution = await this.run('apt-get', [
      ...options,
      '-q',
      '--simulate',
      '--yes',
      'install',
      ...packages,
    ]);
    if (solution.code !== 0)
      throw await solverFailure(solution, {
        packageNames: () => this.packageNames(),
        versionsOf: async (name) =>
          (await this.#paragraphs([name])).map((fields) => fields.get('version') ?? ''),
        suites: this.#sources.flatMap(({ suites }) => suites),
      });
    return this.#describe(installations(solution));
  }

  /**
   * Runs a program of apt with this configuration.
   * @param options.task what it downloads, for the progress
   */
  async run(
    program: 'apt-get' | 'apt-cache',
    args: readonly string[],
    { cwd, task }: { readonly cwd?: string; readonly task?: string } = {},
  ): Promise<AptOutput> {
    return runApt(program, task === undefined ? args : ['-o', 'APT::Status-Fd=3', ...args], {
      config: this.#paths.config,
      ...(cwd !== undefined && { cwd }),
      ...(task !== undefined && { onPercent: (percent) => this.#onProgress(`${task}: ${percent} %`) }),
    });
  }

  /** The lock of packages that are known as `name=version`. */
  async #describe(specs: readonly string[]): Promise<Lock> {
    const bySpec = new Map<string, ControlFields>();
    for (const fields of await this.#paragraphs(specs)) {
      const spec = `${fields.get('package')}=${fields.get('version')}`;
      if (!bySpec.has(spec)) bySpec.set(spec, fields);
    }
    return [...specs].sort(compareBytes).map((spec) => {
      const fields = bySpec.get(spec);
      if (fields) return lockEntry(fields);
      throw new Failure('failed', `apt chose ${spec}, but its index does not have it`, {
        hint: 'update the package lists',
      });
    });
  }

  /** The paragraphs of packages in the archive's index; specs that it does not have are left out. */
  async #paragraphs(specs: readonly string[]): Promise<ControlFields[]> {
    if (specs.length === 0) return [];
    return parseControlFields((await this.run('apt-cache', ['show', ...specs])).stdout);
  }

  /** The names of all packages in the lists. */
  async packageNames(): Promise<string[]> {
    await this.update();
    return (await this.run('apt-cache', ['pkgnames'])).stdout.split('\n').filter((name) => name !== '');
  }

  /**
   * A dpkg status file on which the packages of `exclude` are installed and held, in the archive's version and with all
   * they provide, but without dependencies of their own.
   */
  async #statusWith(exclude: readonly string[]): Promise<string> {
    if (exclude.length === 0) return this.#paths.status;
    const found = new Map<string, ControlFields>();
    for (const fields of await this.#paragraphs(exclude)) {
      const name = fields.get('package')!;
      if (!found.has(name)) found.set(name, fields); // the newest comes first
    }
    const missing = exclude.filter((name) => !found.has(name));
    if (missing.length > 0) throw unknownPackages(missing, await this.packageNames());
    const text = [...found.values()].map(heldPackage).join('\n');
    const path = `${this.#paths.status}-${digestOf(text).slice(0, 16)}`;
    await writeOnce(path, text);
    return path;
  }
}

/**
 * Writes a file unless it is there with that text already: a new one would make apt build its caches again. Only the
 * owner may read it, because proxies and addresses may hold passwords.
 */
async function writeOnce(path: string, text: string): Promise<void> {
  if ((await readTextIfPresent(path)) !== text) await writeAtomic(path, text, { mode: 0o600, sync: false });
}

function heldPackage(fields: ControlFields): string {
  const kept = ['architecture', 'version', 'multi-arch', 'provides'].flatMap((name) => {
    const value = fields.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return formatControlFields([['Package', fields.get('package')!], ['Status', 'hold ok installed'], ...kept]);
}

/** What a simulated installation installs, as `name=version`. */
function installations({ stdout }: AptOutput): string[] {
  return [...stdout.matchAll(/^Inst (\S+) (?:\[[^\]]*\] )?\((\S+) /gm)].map(
    ([, name, version]) => `${name}=${version}`,
  );
}

function checkRequest({ packages, exclude }: PackageRequest): void {
  for (const spec of [...packages, ...exclude])
    if (nameInSpec(spec) === undefined)
      throw new Failure('config', `"${spec}" is not a package`, {
        hint: 'write name, name=version or name/suite',
      });
  const both = packages.find((spec) => exclude.includes(nameInSpec(spec)!));
  if (both !== undefined)
    throw new Failure('config', `the package ${both} is both wanted and excluded`, {
      hint: 'decide for one of the two',
    });
}
