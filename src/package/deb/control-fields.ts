/**
 * One paragraph of a control file: field name in lower case (names have no case) to value. A value keeps its line breaks;
 * the one blank that marks a continuation line is taken off.
 */
export type ControlFields = ReadonlyMap<string, string>;

/**
 * The paragraphs of a text in the format of Debian control files: deb822(5), deb-control(5). Comment lines and lines that
 * are no field are left out.
 */
export function parseControlFields(text: string): ControlFields[] {
  return text
    .replaceAll('\r', '')
    .split(/\n(?:[ \t]*\n)+/)
    .map(parseParagraph)
    .filter((fields) => fields.size > 0);
}

function parseParagraph(text: string): ControlFields {
  const fields = new Map<string, string>();
  let current: string | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    const field = /^([!-,.-9;-~][!-9;-~]*):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (field) {
      current = field[1]!.toLowerCase();
      fields.set(current, field[2]!);
    } else if (/^[ \t]/.test(line) && current !== undefined) {
      fields.set(current, `${fields.get(current)}\n${line.slice(1).trimEnd()}`);
    }
  }
  return fields;
}

/** A paragraph as text, with a line feed at its end; what `parseControlFields` reads back. */
export function formatControlFields(fields: Iterable<readonly [string, string]>): string {
  return [...fields].map(([name, value]) => `${name}: ${value.replaceAll('\n', '\n ')}\n`).join('');
}
