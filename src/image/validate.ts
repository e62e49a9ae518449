import { posix } from 'node:path';
import { Failure } from '../base/errors.ts';
import { formatBytes } from '../base/units.ts';
import { withByteSource } from '../kernel/byte-source.ts';
import { resolvePath } from '../tree/links.ts';
import { type Entry, type FileEntry, parentOf, type Tree } from '../tree/tree.ts';
import { programNeeds } from './program-needs.ts';

/** Something about an image that is wrong, or that somebody should look at. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly path: string;
  readonly text: string;
}

/**
 * Looks at the finished root of an image without running it: what starts it is there and executable, every program finds
 * its interpreter and its libraries, no link dangles.
 */
export async function inspectRoot(root: Tree): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const path of ['init', 'sbin/init', 'usr/bin/node', 'usr/lib/zosbuilder/node.mjs', 'dev/console'])
    if (follow(root, path) === undefined) findings.push({ severity: 'error', path, text: 'is missing' });
  for (const path of ['init', 'sbin/init', 'usr/bin/node'])
    if (((follow(root, path)?.mode ?? 0o111) & 0o111) === 0)
      findings.push({ severity: 'error', path, text: 'is not executable' });
  for (const [path, entry] of root) {
    if (entry.kind === 'symlink') findings.push(...danglingLink(root, path, entry.target));
    if (entry.kind === 'file' && entry.content.size > 2)
      findings.push(...(await unresolvedNeeds(root, path, entry)));
  }
  return findings;
}

/** Links into what only exists in a running system, and those of a kernel package to its build tree, are no fault. */
function danglingLink(root: Tree, path: string, target: string): Finding[] {
  const place = posix.normalize(target.startsWith('/') ? target : `/${parentOf(path)}/${target}`);
  if (/^\/(proc|sys|dev|run)(\/|$)/.test(place) || /\/modules\/[^/]+\/(build|source)$/.test(path)) return [];
  if (resolvePath((at) => root.get(at), place) !== undefined) return [];
  return [{ severity: 'warning', path, text: `links to ${target}, which is not in the image` }];
}

async function unresolvedNeeds(root: Tree, path: string, entry: FileEntry): Promise<Finding[]> {
  const executable = (entry.mode & 0o111) !== 0;
  if (!executable && !/\.so(\.|$)/.test(path)) return [];
  const { interpreter, libraries } = await withByteSource(entry.content, path, programNeeds);
  const missing = libraries.filter(
    (name) => !libraryDirectories(path).some((directory) => follow(root, `${directory}/${name}`)),
  );
  if (interpreter !== undefined && follow(root, interpreter) === undefined) missing.push(interpreter);
  // A script that nobody starts may ask for an interpreter that is not there; a library that is missing stops its program.
  const severity = libraries.length > 0 || path === 'init' ? 'error' : 'warning';
  return missing.map((name) => ({ severity, path, text: `needs ${name}, which is not in the image` }));
}

/** Where the dynamic loader of a multi-arch system looks (ld.so(8)), with the library's own directory for plug-ins. */
function libraryDirectories(path: string): string[] {
  return ['usr/lib/x86_64-linux-gnu', 'usr/lib64', 'usr/lib', 'usr/lib/systemd', parentOf(path) ?? ''];
}

function follow(root: Tree, path: string): Entry | undefined {
  const place = resolvePath((at) => root.get(at), path);
  return place === undefined ? undefined : root.get(place);
}

/**
 * The warnings of an inspection.
 * @throws Failure `failed` that lists the errors, when there are any.
 */
export function judge(findings: readonly Finding[]): readonly Finding[] {
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length > 0)
    throw new Failure(
      'failed',
      `the image would not work: ${errors.map(({ path, text }) => `${path} ${text}`).join('; ')}`,
      {
        hint: 'add the package that brings what is missing to packages.list, or take the path out of cleanup in image.yaml',
      },
    );
  return findings;
}

/** Fails when an image is larger than its budget. */
export function checkBudget(name: string, bytes: number, budget: number): void {
  if (bytes > budget)
    throw new Failure(
      'failed',
      `${name} is ${formatBytes(bytes)}, over its budget of ${formatBytes(budget)}`,
      {
        hint: 'zosbuilder size shows what it is made of; budget.initramfs in image.yaml sets the limit',
      },
    );
}
