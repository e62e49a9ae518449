import type { ImageConfig } from './config.ts';

/**
 * The text of `.startup.toml`, by which Zero-OS starts what is in a flist (flist format, section 7): the first word of entrypoint
 * and command as the name, the rest as arguments, the working directory and the environment. Laid out as rfs does: tables in
 * full, keys in order, a table's own values before its sub-tables.
 */
export function startupToml(config: Pick<ImageConfig, 'entrypoint' | 'cmd' | 'env' | 'workingDir'>): string {
  const words = [...config.entrypoint, ...config.cmd];
  const [name = '/bin/sh', ...args] = words;
  const env = [...environmentOf(config.env)].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    '[startup.entry]',
    'name = "core.system"',
    '',
    '[startup.entry.args]',
    `args = [${args.map(quoted).join(', ')}]`,
    `dir = ${quoted(config.workingDir || '/')}`,
    `name = ${quoted(name)}`,
    '',
    '[startup.entry.args.env]',
    ...env.map(([key, value]) => `${bareOrQuoted(key)} = ${quoted(value)}`),
    '',
  ].join('\n');
}

/** Variables by name; the last of the same name counts, and what has no `=` is none. */
function environmentOf(lines: readonly string[]): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of lines) {
    const equals = line.indexOf('=');
    if (equals >= 0) variables.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return variables;
}

const bareOrQuoted = (key: string) => (/^[A-Za-z0-9_-]+$/.test(key) ? key : quoted(key));

const escapes: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
  '"': '\\"',
  '\\': '\\\\',
};

/** A basic string of TOML 1.0. */
function quoted(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be escaped
  const escaped = text.toWellFormed().replace(/["\\\u0000-\u001f\u007f]/g, (char) => {
    const code = char.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase();
    return escapes[char] ?? `\\u${code}`;
  });
  return `"${escaped}"`;
}
