/**
 * Draws the output of a terminal as a picture: `tools/with-node24 tools/terminal-svg.ts FILE >PICTURE.svg` (`-` is standard
 * input). The same text gives the same bytes. The picture follows the reader's light or dark theme.
 */
import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const columns = 116;
const fontSize = 12;
const lineHeight = 17;
const padding = 14;
/** Of monospaced fonts, the widest that is common (0.602 of the size), and a little more. */
const columnWidth = fontSize * 0.61;

const style = `
.page{fill:#f6f8fa;stroke:#d0d7de}.text{fill:#1f2328}.faint{fill:#6e7781}.command{fill:#0550ae;font-weight:bold}
.step{fill:#8250df;font-weight:bold}.good{fill:#116329;font-weight:bold}
@media(prefers-color-scheme:dark){.page{fill:#0d1117;stroke:#30363d}.text{fill:#e6edf3}.faint{fill:#8b949e}
.command{fill:#79c0ff}.step{fill:#d2a8ff}.good{fill:#56d364}}`;

/** How a line is drawn, by what it is; the first that matches counts. */
const looks: readonly (readonly [look: string, line: RegExp])[] = [
  ['command', /^\$ /],
  ['step', /^\d\/\d /],
  ['good', /^\w+: ready after /],
  ['faint', /^ +(log|command|note): |^ +…$|^ +\w+ +fresh /],
];

/** A picture of lines as a terminal of 116 columns shows them; what is wider is cut. */
export function terminalSvg(text: string): string {
  const lines = stripVTControlCharacters(text).trimEnd().split('\n').map(cut);
  const longest = Math.max(...lines.map((line) => [...line].length));
  const width = Math.ceil(longest * columnWidth) + 2 * padding;
  const height = lines.length * lineHeight + 2 * padding;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(lines[0] ?? '')}</title>`,
    `<style>${style}</style>`,
    `<rect class="page" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="${fontSize}" xml:space="preserve">`,
    ...lines.map(drawLine).filter((element) => element !== ''),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function cut(line: string): string {
  const characters = [...line.trimEnd()];
  return characters.length <= columns ? characters.join('') : `${characters.slice(0, columns - 1).join('')}…`;
}

function drawLine(line: string, index: number): string {
  if (line === '') return '';
  const look = looks.find(([, pattern]) => pattern.test(line))?.[0] ?? 'text';
  const baseline = padding + index * lineHeight + fontSize;
  return `<text class="${look}" x="${padding}" y="${baseline}">${escaped(line)}</text>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

if (import.meta.main) {
  const [file = '-'] = process.argv.slice(2);
  process.stdout.write(terminalSvg(readFileSync(file === '-' ? 0 : file, 'utf8')));
}
