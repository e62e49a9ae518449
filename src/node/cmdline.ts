/**
 * The parameters of a kernel command line: `key` (value `''`) or `key=value`, the last of equal keys counts, what follows
 * `--` is not for the kernel. Double quotes keep blanks in a value or in a whole parameter and are not part of it; there
 * is no escape (kernel `lib/cmdline.c`, `next_arg`).
 */
export function parseCmdline(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const word of splitWords(text)) {
    if (word === '--') break;
    const whole = word.startsWith('"') ? withoutQuotes(word) : word;
    const equals = whole.indexOf('=', 1);
    if (equals < 0) parameters.set(whole, '');
    else parameters.set(whole.slice(0, equals), withoutQuotes(whole.slice(equals + 1)));
  }
  return parameters;
}

function splitWords(text: string): string[] {
  return text.match(/(?:[^\s"]|"[^"]*(?:"|$))+/g) ?? [];
}

function withoutQuotes(text: string): string {
  return text.startsWith('"') ? text.slice(1).replace(/"$/, '') : text;
}
