import { Failure } from '../../base/errors.ts';

/** What a user wants of an archive. */
export interface PackageRequest {
  /** `name`, `name=version` or `name/suite`, as apt takes them. */
  readonly packages: readonly string[];
  /** Names of packages that must not come, although others depend on them. */
  readonly exclude: readonly string[];
}

const packageName = /^[a-z0-9][a-z0-9+.-]*[a-z0-9+.]$/; // policy 5.6.1; apt reads a final `-` as "remove"
const packageSpec = /^([^=/]+)(?:=[0-9A-Za-z.+~:-]+|\/[0-9A-Za-z./+-]+)?$/;

/** The name in a package spec; undefined when it is none. */
export function nameInSpec(spec: string): string | undefined {
  const name = packageSpec.exec(spec)?.[1];
  return name !== undefined && packageName.test(name) ? name : undefined;
}

/**
 * Parses `packages.list`: a package a line, `-name` for a dependency left out on purpose, `#` comments.
 * @param file the name of the file, for messages
 * @throws Failure `config` with file and line.
 */
export function parsePackageList(text: string, file: string): PackageRequest {
  const packages = new Map<string, string>();
  const exclude = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    const word = line.replace(/(^|\s)#.*/, '').trim();
    if (word === '') continue;
    const isExclusion = word.startsWith('-');
    const spec = isExclusion ? word.slice(1).trim() : word;
    const name = nameInSpec(spec);
    const complain = (what: string, hint: string) =>
      new Failure('config', `${file}:${index + 1}: ${what}`, { hint });

    if (name === undefined) throw complain(`"${word}" is not a package`, suggestion(word));
    if (isExclusion && spec !== name)
      throw complain(`"${word}" excludes one version only`, `write: -${name}`);
    if (isExclusion ? packages.has(name) : exclude.has(name))
      throw complain(`${name} is both wanted and excluded`, 'keep one of the two lines');
    if (!isExclusion && packages.has(name) && packages.get(name) !== spec)
      throw complain(
        `${name} is wanted twice: as "${packages.get(name)}" and as "${spec}"`,
        'keep one of the two lines',
      );
    if (isExclusion) exclude.add(name);
    else packages.set(name, spec);
  }
  return { packages: [...packages.values()], exclude: [...exclude] };
}

function suggestion(word: string): string {
  const words = word.split(/[\s,]+/).filter((part) => part !== '');
  if (words.length > 1 && words.every(nameInSpec))
    return `one package a line: ${words.join(', ')} on lines of their own`;
  const versioned = /^(\S+?)\s*(?:\(|>|<|=)+\s*([^\s)]+)\)?$/.exec(word);
  if (versioned && nameInSpec(`${versioned[1]}=${versioned[2]}`))
    return `for one version write: ${versioned[1]}=${versioned[2]}`;
  const lower = word.toLowerCase();
  return lower !== word && nameInSpec(lower)
    ? `package names have no capitals: ${lower}`
    : 'write name, name=version, name/suite, or -name to leave a dependency out';
}
