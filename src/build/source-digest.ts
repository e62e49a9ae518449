import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { digestOf, sha256 } from '../base/digest.ts';
import { packageRoot } from './project.ts';

const imports = /^\s*(?:import|export)\b[^'"]*?['"](\.[^'"]+)['"]|\bimport\(\s*['"](\.[^'"]+)['"]\s*\)/gm;
const texts = new Map<string, { digest: string; imports: readonly string[] }>();

function read(file: string) {
  let known = texts.get(file);
  if (!known) {
    const text = readFileSync(file, 'utf8');
    // Types are erased before anything runs: a file reached only by `import type` decides no byte.
    const code = text.replace(/^\s*(?:import|export) type [^;]*;/gm, '');
    const found = [...code.matchAll(imports)].map((match) => resolve(dirname(file), match[1] ?? match[2]!));
    known = { digest: sha256(text), imports: found.filter((target) => target.endsWith('.ts')) };
    texts.set(file, known);
  }
  return known;
}

/**
 * A digest of the code of a module: its own file and every file of this package that it imports, directly or not.
 * A stage whose code changed is stale by it.
 */
export function sourceDigest(file: string): string {
  const seen = new Map<string, string>();
  const pending = [file];
  while (pending.length > 0) {
    const next = pending.pop()!;
    if (seen.has(next)) continue;
    const { digest, imports: targets } = read(next);
    seen.set(next, digest);
    pending.push(...targets);
  }
  return digestOf([...seen].map(([path, digest]) => [relative(packageRoot, path), digest]).sort());
}
