/**
 * The variables of a file of plain `KEY=value` lines. Blank lines, lines that begin with `#` and lines without a key are
 * left out; the last of equal keys counts. There is no quoting: the value is the rest of the line.
 */
export function parseKeyValues(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    const key = line.slice(0, Math.max(equals, 0)).trim();
    if (key !== '' && !key.startsWith('#')) values.set(key, line.slice(equals + 1).trim());
  }
  return values;
}
