import * as fc from 'fast-check';
import { bytesContent } from './content.ts';
import { nameHardLinks } from './hard-links.ts';
import { type Entry, type EntryKind, parentOf, Tree } from './tree.ts';

/** What the format under test can hold. */
export interface TreeShape {
  readonly kinds?: readonly EntryKind[];
  readonly xattrs?: boolean;
  /** Whole seconds since the epoch. */
  readonly mtime?: fc.Arbitrary<number>;
  readonly mtimeNs?: fc.Arbitrary<number>;
  readonly owner?: fc.Arbitrary<number>;
}

const everyKind: readonly EntryKind[] = [
  'directory',
  'file',
  'symlink',
  'character',
  'block',
  'fifo',
  'socket',
];

const text = (maxLength: number) =>
  fc.string({ unit: 'grapheme', minLength: 1, maxLength }).filter((value) => !value.includes('\0'));

const nameArbitrary = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', 'lib', 'lib64', 'usr') },
  {
    weight: 3,
    arbitrary: text(8).filter((name) => !name.includes('/') && name !== '.' && name !== '..'),
  },
  { weight: 1, arbitrary: fc.integer({ min: 90, max: 200 }).map((length) => 'n'.repeat(length)) },
);

const pathArbitrary = fc.array(nameArbitrary, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));

const xattrsArbitrary = fc
  .array(
    fc.tuple(
      fc.constantFrom('user.one', 'user.two', 'security.capability'),
      fc.uint8Array({ maxLength: 40 }),
    ),
  )
  .map((pairs) => new Map(pairs));

/** Any tree of a shape, small, with all that is hard about trees: depth, long and odd names, hard links, extreme numbers. */
export function treeArbitrary(shape: TreeShape = {}): fc.Arbitrary<Tree> {
  const entry = entryArbitrary(shape);
  const root = entryArbitrary({ ...shape, kinds: ['directory'] });
  return fc
    .tuple(root, fc.array(fc.tuple(pathArbitrary, entry), { maxLength: 25 }))
    .map(([rootEntry, entries]) => treeOf([['', rootEntry], ...entries]));
}

/** The entries that can stand together in a tree; files of one hard-link group are made equal. */
function treeOf(entries: readonly (readonly [string, Entry])[]): Tree {
  const placed = new Map<string, Entry>();
  const groups = new Map<string, Entry>();
  for (const [path, entry] of entries) {
    if (placed.has(path)) continue;
    const parents: string[] = [];
    for (let parent = parentOf(path); parent !== undefined; parent = parentOf(parent)) parents.push(parent);
    if (parents.some((parent) => (placed.get(parent)?.kind ?? 'directory') !== 'directory')) continue;
    for (const parent of parents) if (!placed.has(parent)) placed.set(parent, placed.get('')!);
    if (entry.kind === 'file' && entry.hardLink !== undefined) {
      const first = groups.get(entry.hardLink) ?? entry;
      groups.set(entry.hardLink, first);
      placed.set(path, first);
    } else {
      placed.set(path, entry);
    }
  }
  return nameHardLinks(Tree.from(placed));
}

function entryArbitrary({
  kinds = everyKind,
  xattrs = true,
  mtime = fc.oneof(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: -(2 ** 33), max: 2 ** 34 })),
  mtimeNs = fc.integer({ min: 0, max: 999_999_999 }),
  owner = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 - 2 })),
}: TreeShape): fc.Arbitrary<Entry> {
  const parts = fc.record({
    kind: fc.constantFrom(...kinds),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: owner,
    gid: owner,
    mtime,
    mtimeNs,
    xattrs: xattrs ? xattrsArbitrary : fc.constant(new Map<string, Uint8Array>()),
    bytes: fc.uint8Array({ maxLength: 1200 }),
    hardLink: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
    target: text(150),
    major: fc.integer({ min: 0, max: 4095 }),
    minor: fc.integer({ min: 0, max: 2 ** 20 - 1 }),
  });
  return parts.map(({ kind, bytes, hardLink, target, major, minor, ...rest }): Entry => {
    const { mtimeNs: nanoseconds, xattrs: attributes, ...always } = rest;
    const metadata = {
      ...always,
      ...(nanoseconds > 0 && { mtimeNs: nanoseconds }),
      ...(attributes.size > 0 && { xattrs: attributes }),
    };
    switch (kind) {
      case 'file':
        return { kind, ...metadata, content: bytesContent(bytes), ...(hardLink && { hardLink }) };
      case 'symlink':
        return { kind, ...metadata, mode: 0o777, target };
      case 'character':
      case 'block':
        return { kind, ...metadata, major, minor };
      default:
        return { kind, ...metadata };
    }
  });
}
