import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '../base/errors.ts';
import { compareBytes } from '../base/names.ts';
import { checkUnitGraph } from './unit-graph.ts';
import { parseUnit, type UnitFile, type UnitProblem } from './units.ts';

export interface UnitDirectory {
  /** The units that can be used, by name. */
  readonly unitFiles: readonly UnitFile[];
  /** What is wrong with files, and with the graph of the units that are left. */
  readonly problems: readonly UnitProblem[];
}

/**
 * Reads the units of a directory as zinit does: regular files directly in it whose names end in `.yaml`. Symbolic links,
 * directories and `.yml` files are no units. A file that cannot be read or parsed is a problem; the rest count.
 * @param label how problems name the directory; itself by default
 */
export async function readUnitDirectory(directory: string, label = directory): Promise<UnitDirectory> {
  const unitFiles: UnitFile[] = [];
  const problems: UnitProblem[] = [];
  const entries = await readdir(directory, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => compareBytes(a.name, b.name))) {
    const file = join(label, entry.name);
    const stem = /^(.+)\.yaml$/.exec(entry.name)?.[1];
    if (stem === undefined || !entry.isFile()) {
      if (entry.isSymbolicLink() || /\.yml$/.test(entry.name))
        problems.push({
          severity: 'warning',
          file,
          line: 1,
          message: 'not a unit: only regular files that end in .yaml are',
        });
      continue;
    }
    try {
      const parsed = parseUnit(file, stem, await readFile(join(directory, entry.name), 'utf8'));
      problems.push(...parsed.problems);
      if (parsed.unitFile) unitFiles.push(parsed.unitFile);
    } catch (error) {
      problems.push({ severity: 'error', file, line: 1, message: describeError(error) });
    }
  }
  return { unitFiles, problems: [...problems, ...checkUnitGraph(unitFiles)] };
}
