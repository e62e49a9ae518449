/** What a module says after `softdep`: modules or aliases to load before and after it, if they are there. */
export interface Softdep {
  readonly pre: readonly string[];
  readonly post: readonly string[];
}

/** What a kernel module says about itself in its `.modinfo` section. */
export interface ModuleInfo {
  /** Every field with its values in file order: `alias`, `firmware`, `parm`, … */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** The name by which the kernel lists it. */
  readonly name: string | undefined;
  /** Modules whose symbols it uses. */
  readonly depends: readonly string[];
  readonly softdep: Softdep;
  /** Modules that it may ask for when it runs. */
  readonly weakdeps: readonly string[];
  /** Patterns of devices and requests that it serves. */
  readonly aliases: readonly string[];
  /** Files below `/lib/firmware` that it may ask for. */
  readonly firmware: readonly string[];
  /** Kernel release and build options that it was built for. */
  readonly vermagic: string | undefined;
  readonly license: string | undefined;
  readonly description: string | undefined;
  readonly version: string | undefined;
}

/** The fields of a `.modinfo` section: `key=value` strings, each ended by NUL, zeros between them as padding. */
export function parseModinfo(section: Uint8Array): ModuleInfo {
  const fields = new Map<string, string[]>();
  for (const text of Buffer.from(section).toString('utf8').split('\0')) {
    const equals = text.indexOf('=');
    if (equals <= 0) continue;
    const key = text.slice(0, equals);
    const value = text.slice(equals + 1);
    const values = fields.get(key);
    if (values) values.push(value);
    else fields.set(key, [value]);
  }
  const all = (key: string) => fields.get(key) ?? [];
  const first = (key: string) => fields.get(key)?.[0];
  return {
    fields,
    name: first('name'),
    depends: all('depends').flatMap((value) => value.split(',').filter((name) => name !== '')),
    softdep: parseSoftdeps(all('softdep')),
    weakdeps: all('weakdep').flatMap(wordsOf),
    aliases: all('alias'),
    firmware: all('firmware'),
    vermagic: first('vermagic'),
    license: first('license'),
    description: first('description'),
    version: first('version'),
  };
}

/**
 * The soft dependencies of a module, each value `pre: a b post: c`. Words before the first `pre:` or `post:` of a value
 * count for nothing, as in libkmod; of several values, of which libkmod takes the first, all are taken.
 */
export function parseSoftdeps(values: readonly string[]): Softdep {
  const softdep = { pre: [] as string[], post: [] as string[] };
  for (const value of values) {
    let list: string[] | undefined;
    for (const word of wordsOf(value)) {
      if (word === 'pre:') list = softdep.pre;
      else if (word === 'post:') list = softdep.post;
      else list?.push(word);
    }
  }
  return softdep;
}

/** The fields of `modules.builtin.modinfo`: NUL-ended `module.key=value`. */
export function parseBuiltinModinfo(text: string): { module: string; key: string; value: string }[] {
  const fields = [];
  for (const field of text.split('\0')) {
    const [, module, key, value] = /^([^.]+)\.([^=]*)=(.*)$/s.exec(field) ?? [];
    if (module !== undefined) fields.push({ module, key: key!, value: value! });
  }
  return fields;
}

/** The words of a text between blanks. */
export function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
