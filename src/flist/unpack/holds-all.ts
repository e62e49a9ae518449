import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../../base/errors.ts';
import { walkRows } from '../../tree/children.ts';
import { kindOfMode } from '../manifest/inode.ts';
import { type ManifestColumns, targetBytes } from '../manifest/manifest-columns.ts';
import { RowPlaces } from './row-places.ts';
import { isWholeFile } from './unfinished-files.ts';

/**
 * Whether a directory holds exactly the entries of a manifest, by names, kinds, link targets, and sizes and times of files. Ends
 * at the first difference. Special files may be missing: not everybody can have them.
 * @param root the open directory.
 */
export function holdsAll(columns: ManifestColumns, root: number): boolean {
  const places = new RowPlaces(columns, root);
  /** By the row of a directory: how many of its entries are there. */
  const found = new Map<number, number>();
  try {
    for (const { row } of walkRows(columns)) {
      if (row === 0) continue;
      const kind = kindOfMode(columns.mode[row]!)!;
      const stats = lstatSync(places.of(row), { bigint: true, throwIfNoEntry: false });
      if (stats === undefined && kind !== 'directory' && kind !== 'file' && kind !== 'symlink') continue;
      if (stats === undefined || kindOfMode(Number(stats.mode)) !== kind) return false;
      if (kind === 'file' && !isWholeFile(columns, row, stats)) return false;
      if (kind === 'symlink') {
        const target = readlinkSync(places.of(row), { encoding: 'buffer' });
        if (target.compare(targetBytes(columns, row)) !== 0) return false;
      }
      const parent = columns.parent[row]!;
      found.set(parent, (found.get(parent) ?? 0) + 1);
    }
    for (const { row } of walkRows(columns)) {
      if (kindOfMode(columns.mode[row]!) !== 'directory') continue;
      if (readdirSync(places.directory(row), { encoding: 'buffer' }).length !== (found.get(row) ?? 0))
        return false;
    }
    return true;
  } catch (error) {
    if (errnoOf(error) !== undefined) return false;
    throw error;
  } finally {
    places.close();
  }
}
