import { Failure } from '../../base/errors.ts';
import type { ControlFields } from './control-fields.ts';

/** One package of a lock: what it is, where the archive has it, and the digest by which it is known from then on. */
export interface LockEntry {
  readonly name: string;
  readonly version: string;
  /** Debian's name: `amd64`, or `all`. */
  readonly architecture: string;
  /** The path of the .deb below the archive's root. */
  readonly filename: string;
  /** Bytes of the .deb. */
  readonly size: number;
  /** SHA-256 of the .deb as lower-case hex. */
  readonly sha256: string;
  readonly section?: string;
  /** The source package and its version. */
  readonly source: string;
  readonly sourceVersion: string;
  readonly homepage?: string;
  readonly maintainer?: string;
  /** Names of packages whose files this one may take over (Debian policy 7.6). */
  readonly replaces?: readonly string[];
}

/** A complete set of packages, by name. */
export type Lock = readonly LockEntry[];

/**
 * The entry of a package from its paragraph in an archive's index.
 * @throws Failure `corrupt` when a field that every index has is missing.
 */
export function lockEntry(fields: ControlFields): LockEntry {
  const name = required(fields, 'package');
  const version = required(fields, 'version');
  const sha256 = required(fields, 'sha256');
  const size = Number(required(fields, 'size'));
  if (!/^[0-9a-f]{64}$/.test(sha256) || !Number.isSafeInteger(size))
    throw new Failure('corrupt', `the package index has no valid size and SHA-256 for ${name}`);
  const [, source = name, sourceVersion = version] =
    /^(\S+)(?: \((\S+)\))?/.exec(fields.get('source') ?? '') ?? [];
  const [section, homepage, maintainer] = ['section', 'homepage', 'maintainer'].map((key) => fields.get(key));
  const replaces = relationNames(fields.get('replaces'));
  return {
    name,
    version,
    architecture: required(fields, 'architecture'),
    filename: required(fields, 'filename'),
    size,
    sha256,
    ...(section && { section }),
    source,
    sourceVersion,
    ...(homepage && { homepage }),
    ...(maintainer && { maintainer }),
    ...(replaces.length > 0 && { replaces }),
  };
}

function required(fields: ControlFields, name: string): string {
  const value = fields.get(name);
  if (value) return value;
  throw new Failure(
    'corrupt',
    `the package index has no ${name} for ${fields.get('package') ?? 'a package'}`,
  );
}

/** The package names of a relation field, in its order, without versions. */
function relationNames(field = ''): string[] {
  return field
    .split(/[,|]/)
    .map((relation) => /^\s*([a-z0-9][a-z0-9+.-]+)/.exec(relation)?.[1])
    .filter((name) => name !== undefined);
}
