import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type RunOptions, run } from '../../base/exec.ts';
import { testDirectory } from '../../store/test-directory.ts';

/** What the launcher starts. */
const program = join(import.meta.dirname, '../../../tools/with-bundle.cjs');

/** What a command printed, and how it ended. */
export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs `rfs` as a user does. */
export async function rfs(args: readonly string[], options: RunOptions = {}): Promise<Printed> {
  const accept = [0, 1, 2, 3, 4, 5, 6];
  const { code, stdout, stderr } = await run(process.execPath, [program, ...args], { accept, ...options });
  return { code, out: stdout.toString(), error: stderr };
}

export interface PackedPlace {
  readonly root: string;
  readonly source: string;
  readonly meta: string;
  readonly blocks: string;
  /** The store specification of `blocks`. */
  readonly store: string;
}

/** A small tree, packed; removed when the running test ends. */
export async function packedPlace(): Promise<PackedPlace> {
  const root = await testDirectory();
  const source = join(root, 'source');
  await mkdir(join(source, 'dir'), { recursive: true });
  await writeFile(join(source, 'dir/file'), 'the content');
  await writeFile(join(source, 'large'), Buffer.alloc(600_000, 'more than one block; '));
  await symlink('dir/file', join(source, 'link'));
  const [meta, blocks] = [join(root, 'test.fl'), join(root, 'blocks')];
  const store = `dir://${blocks}`;
  expect(await rfs(['pack', '-m', meta, '-s', store, source])).toMatchObject({ code: 0 });
  return { root, source, meta, blocks, store };
}

/** The command failed with one line that says why, and one that says what to do. */
export function expectOneError({ code, out, error }: Printed, what: RegExp): void {
  expect({ code, out }).toEqual({ code: 1, out: '' });
  const lines = error.trimEnd().split('\n');
  expect(lines, error).toHaveLength(2);
  expect(lines[0]).toMatch(/^error: /);
  expect(lines[0]).toMatch(what);
  expect(lines[1]).toMatch(/^hint: /);
}
