import { formatTable } from '../base/table.ts';
import { formatBytes } from '../base/units.ts';
import type { EntryKind } from '../tree/tree.ts';
import { kindOfMode, splitDevice } from './manifest/inode.ts';
import type { Manifest } from './manifest/manifest.ts';
import { walkManifest } from './walk.ts';

/** One entry of a manifest as `flist inspect` reports it. */
export interface InspectedEntry {
  /** Absolute in the flist: `/` is the root. */
  readonly path: string;
  readonly type: EntryKind;
  readonly inode: number;
  readonly name: string;
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  /** The whole `st_mode` in octal. */
  readonly mode: string;
  /** As `ls -l` shows them: `rwxr-xr-x`. */
  readonly permissions: string;
  /** `major:minor` of a device. */
  readonly device?: string;
  /** ISO 8601. The change time, which rfs calls creation time. */
  readonly created: string;
  readonly modified: string;
  readonly target?: string;
}

export interface InspectedSummary {
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  /** Devices, fifos and sockets. */
  readonly others: number;
  /** Plain bytes of all regular files. */
  readonly bytes: number;
  readonly blocks: number;
}

/** Every entry in path order. */
export function* inspectEntries(manifest: Manifest): Generator<InspectedEntry> {
  for (const { path, inode } of walkManifest(manifest)) {
    const { ino, name, size, uid, gid, mode, rdev, ctime, mtime, target } = inode;
    const type = kindOfMode(mode)!;
    yield {
      path: `/${path}`,
      type,
      inode: ino,
      name,
      size,
      uid,
      gid,
      mode: mode.toString(8),
      permissions: permissionsOf(mode),
      ...((type === 'character' || type === 'block') && { device: deviceOf(rdev) }),
      created: timeOf(ctime),
      modified: timeOf(mtime),
      ...(type === 'symlink' && target !== undefined && { target }),
    };
  }
}

/** The totals of a manifest. */
export function inspectSummary(manifest: Manifest): InspectedSummary {
  const counts = { files: 0, directories: 0, symlinks: 0, others: 0, bytes: 0, blocks: 0 };
  for (const { mode, size, ino } of manifest.inodes) {
    const kind = kindOfMode(mode);
    if (kind === 'file') {
      counts.files++;
      counts.bytes += size;
      counts.blocks += manifest.blockCount(ino);
    } else if (kind === 'directory') counts.directories++;
    else if (kind === 'symlink') counts.symlinks++;
    else counts.others++;
  }
  return counts;
}

/** An entry for people, a field a line. */
export function formatEntry(entry: InspectedEntry): string[] {
  const fields: [string, string | number | undefined][] = [
    ['type', entry.type],
    ['inode', entry.inode],
    ['name', printable(entry.name)],
    ['size', entry.size],
    ['uid', entry.uid],
    ['gid', entry.gid],
    ['mode', entry.mode],
    ['permissions', entry.permissions],
    ['device', entry.device],
    ['created', entry.created],
    ['modified', entry.modified],
    ['target', entry.target === undefined ? undefined : printable(entry.target)],
  ];
  const present = fields.filter(([, value]) => value !== undefined);
  return [printable(entry.path), ...formatTable(present.map(([name, value]) => [`  ${name}:`, `${value}`]))];
}

/** The totals for people. */
export function formatSummary(summary: InspectedSummary): string[] {
  return formatTable(
    [
      ['files:', `${summary.files}`],
      ['directories:', `${summary.directories}`],
      ['symlinks:', `${summary.symlinks}`],
      ...(summary.others > 0 ? [['others:', `${summary.others}`]] : []),
      ['total size:', `${formatBytes(summary.bytes)} (${summary.bytes} bytes)`],
      ['blocks:', `${summary.blocks}`],
    ],
    ['left', 'left'],
  );
}

/** A name as it may go to a terminal: control characters as escapes. */
export function printable(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

function permissionsOf(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, i) => (mode & (0o400 >> i) ? letter : '-'));
  const special = (bit: number, at: number, both: string) => {
    if (mode & bit) letters[at] = letters[at] === 'x' ? both : both.toUpperCase();
  };
  special(0o4000, 2, 's');
  special(0o2000, 5, 's');
  special(0o1000, 8, 't');
  return letters.join('');
}

function deviceOf(rdev: number): string {
  const { major, minor } = splitDevice(rdev);
  return `${major}:${minor}`;
}

/** Years past what `Date` can hold stay seconds. */
function timeOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `@${seconds}` : date.toISOString().replace('.000Z', 'Z');
}
