/** The layer rule: a room of `src/` imports only from rooms on lower floors. Prints each violation and exits 1. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');

const floors: readonly (readonly string[])[] = [
  ['base', 'tree', 'archive', 'fuse'],
  ['flist', 'store', 'cache', 'package', 'kernel'],
  ['mount', 'image'],
  ['publish', 'boot', 'media', 'node'],
  ['build', 'hub'],
  ['cli', 'library'],
];

/** Imports within one floor that the design names; each must stay free of cycles. */
const sameFloor: Readonly<Record<string, readonly string[]>> = {
  tree: ['base', 'archive'],
  archive: ['base'],
  flist: ['store'],
  cache: ['flist'],
  boot: ['node'],
  build: ['hub'],
};

const floorOf = (room: string) => floors.findIndex((rooms) => rooms.includes(room));

function violation(file: string, target: string): string | undefined {
  const [from, to] = [file, target].map((path) => path.split('/')[1] ?? '') as [string, string];
  if (from === to) return undefined;
  if (from === 'fuse') return 'fuse/ imports nothing of ours';
  if (!target.startsWith('src/')) return 'src/ imports only from src/';
  if (floorOf(from) < 0 || floorOf(to) < 0) return `no such room: ${floorOf(from) < 0 ? from : to}`;
  if (floorOf(to) < floorOf(from) || sameFloor[from]?.includes(to)) return undefined;
  return `${from}/ (floor ${floorOf(from)}) may not import ${to}/ (floor ${floorOf(to)})`;
}

let failed = false;
for (const file of globSync('src/**/*.ts', { cwd: root }).sort()) {
  const text = readFileSync(join(root, file), 'utf8');
  for (const match of text.matchAll(/(?:from|import)\s*\(?\s*'(\.\.?\/[^']+)'/g)) {
    const target = relative(root, join(root, dirname(file), match[1]!));
    const why = file.endsWith('.test.ts') && !target.startsWith('src/') ? undefined : violation(file, target);
    if (why) {
      failed = true;
      console.error(`${file}: imports ${target}: ${why}`);
    }
  }
}
process.exit(failed ? 1 : 0);
