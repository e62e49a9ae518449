import { stripVTControlCharacters } from 'node:util';

/** A column of a table: left for words, right for numbers. */
export type Alignment = 'left' | 'right';

/**
 * Rows as lines with aligned columns two spaces apart; the last column is never padded. Colours count no width.
 */
export function formatTable(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
): string[] {
  const width = (text: string) => stripVTControlCharacters(text).length;
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, width(cell));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat(widths[column]! - width(cell));
        if (alignments[column] === 'right') return padding + cell;
        return column === row.length - 1 ? cell : cell + padding;
      })
      .join('  ')
      .trimEnd(),
  );
}
