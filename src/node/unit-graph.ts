import { closestName } from '../base/names.ts';
import type { UnitFile, UnitProblem } from './units.ts';

/**
 * What keeps units of a graph from ever starting: a name in `after` that no unit has, and a cycle, told once with its
 * chain. zinit finds neither; such units stay Blocked.
 */
export function checkUnitGraph(unitFiles: readonly UnitFile[]): UnitProblem[] {
  const byName = new Map(unitFiles.map((unitFile) => [unitFile.unit.name, unitFile]));
  return [...unitFiles.flatMap((unitFile) => unknownNames(unitFile, byName)), ...cycles(unitFiles, byName)];
}

function unknownNames(
  { unit, file, afterLines }: UnitFile,
  byName: ReadonlyMap<string, UnitFile>,
): UnitProblem[] {
  return unit.after.flatMap((name, index) => {
    if (byName.has(name)) return [];
    const close = closestName(name, byName.keys());
    const message = `"${unit.name}" is after "${name}", and there is no such unit${close ? `; did you mean "${close}"?` : ''}`;
    return [{ severity: 'error', file, line: afterLines[index]!, message }];
  });
}

/** Depth-first search; a name that is met again on the path to it closes a cycle. */
function cycles(unitFiles: readonly UnitFile[], byName: ReadonlyMap<string, UnitFile>): UnitProblem[] {
  const problems: UnitProblem[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (unitFile: UnitFile): void => {
    const { unit, file, afterLines } = unitFile;
    if (done.has(unit.name)) return;
    path.push(unit.name);
    for (const [index, name] of unit.after.entries()) {
      const start = path.indexOf(name);
      const next = byName.get(name);
      if (start >= 0) {
        const chain = [...path.slice(start), name].join(' after ');
        problems.push({
          severity: 'error',
          file,
          line: afterLines[index]!,
          message: `units wait for each other: ${chain}`,
        });
      } else if (next) visit(next);
    }
    path.pop();
    done.add(unit.name);
  };
  for (const unitFile of unitFiles) visit(unitFile);
  return problems;
}

/**
 * The names of units in the order of a shutdown: every unit before the ones it came after. Names that no unit has and
 * edges that close a cycle are passed over, so that a shutdown always ends.
 */
export function stopOrder(
  units: readonly { readonly name: string; readonly after: readonly string[] }[],
): string[] {
  const byName = new Map(units.map((unit) => [unit.name, unit]));
  const started: string[] = [];
  const seen = new Set<string>();
  const visit = (name: string): void => {
    const unit = byName.get(name);
    if (!unit || seen.has(name)) return;
    seen.add(name);
    for (const earlier of unit.after) visit(earlier);
    started.push(name);
  };
  for (const { name } of units) visit(name);
  return started.reverse();
}
