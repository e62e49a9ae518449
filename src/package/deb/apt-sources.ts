import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, Failure } from '../../base/errors.ts';
import { readTextIfPresent } from '../../base/files.ts';
import { compareBytes } from '../../base/names.ts';
import { formatControlFields, parseControlFields } from './control-fields.ts';

/** An entry of an apt configuration for binary packages: sources.list(5). */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Keyring files, fingerprints, or a whole armoured key, as `Signed-By` of the deb822 form has them. */
  readonly signedBy?: string;
}

/** What a suite of Debian's archive is for. */
type SuiteRole = 'release' | 'updates' | 'security';

/** Debian's archive as this host reaches it. */
export interface HostArchive {
  /** The suite that the host follows: its codename, or an alias such as `stable` where its sources say so. */
  readonly suite: string;
  readonly mirrors: readonly {
    readonly uris: readonly string[];
    readonly role: SuiteRole;
    readonly signedBy?: string;
  }[];
}

const aliases = ['stable', 'oldstable', 'oldoldstable', 'testing', 'unstable', 'sid'];

/** Releases whose security suite is `<codename>/updates`; since bullseye it is `<codename>-security`. */
const oldSecurityNaming = ['buster', 'stretch', 'jessie', 'wheezy', 'squeeze', 'lenny'];

/**
 * Debian's own archive among the sources that this host's apt uses; third-party sources are left out.
 * @param etc the directory of apt's configuration
 * @param osRelease the os-release(5) file that names the host's release
 * @throws Failure `config` when the host is not a Debian one or has no source of Debian's archive.
 */
export async function readHostArchive(etc = '/etc/apt', osRelease = '/etc/os-release'): Promise<HostArchive> {
  const codename = /^VERSION_CODENAME=["']?([a-z]+)["']?$/m.exec(
    (await readTextIfPresent(osRelease)) ?? '',
  )?.[1];
  const sources = (await readSources(etc)).filter(isDebianArchive);
  for (const suite of codename === undefined ? aliases : [codename, ...aliases]) {
    const mirrors = mirrorsOf(sources, suite);
    if (mirrors.some(({ role }) => role === 'release')) return { suite, mirrors };
  }
  throw new Failure('config', `${etc} has no source of Debian's own archive for ${codename ?? 'this host'}`, {
    hint: 'add one, signed by a keyring of the package debian-archive-keyring, to sources.list.d/debian.sources there',
  });
}

/**
 * The sources for packages of a suite, from the mirrors of the host.
 * @param options.suite the host's own by default; any other by name, on the same mirrors
 * @param options.components `main` and so on
 */
export function sourcesFor(
  { suite: own, mirrors }: HostArchive,
  { suite = own, components }: { readonly suite?: string; readonly components: readonly string[] },
): AptSource[] {
  const sources: AptSource[] = [];
  for (const { uris, role, signedBy } of mirrors) {
    const name = suiteName(suite, role);
    if (name !== undefined)
      sources.push({ uris, suites: [name], components, ...(signedBy !== undefined && { signedBy }) });
  }
  return sources;
}

function suiteName(suite: string, role: SuiteRole): string | undefined {
  if (role === 'release') return suite;
  if (['sid', 'unstable', 'experimental'].includes(suite)) return undefined;
  return role === 'security' && oldSecurityNaming.includes(suite) ? `${suite}/updates` : `${suite}-${role}`;
}

/** Sources in the deb822 form. */
export function formatSources(sources: readonly AptSource[]): string {
  return sources
    .map(({ uris, suites, components, signedBy }) =>
      formatControlFields([
        ['Types', 'deb'],
        ['URIs', uris.join(' ')],
        ['Suites', suites.join(' ')],
        ['Components', components.join(' ')],
        ...(signedBy === undefined ? [] : [['Signed-By', signedBy] as const]),
      ]),
    )
    .join('\n');
}

async function readSources(etc: string): Promise<AptSource[]> {
  const parts = join(etc, 'sources.list.d');
  const names = await readdir(parts).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  const files = [join(etc, 'sources.list'), ...names.sort(compareBytes).map((name) => join(parts, name))];
  const sources: AptSource[] = [];
  for (const file of files) {
    const parse = file.endsWith('.sources') ? parseDeb822Sources : parseSourcesList;
    if (/\.(list|sources)$/.test(file)) sources.push(...parse((await readTextIfPresent(file)) ?? ''));
  }
  return sources;
}

/** The binary sources of a file in the one-line form; lines that are none are left out. */
export function parseSourcesList(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const words = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?([^\s#[]+)\s+([^\s#]+)\s+([^#]+)/.exec(line);
    if (!words) continue;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(words[1] ?? '')?.[1]?.replaceAll(',', ' ');
    sources.push({
      uris: [words[2]!],
      suites: [words[3]!],
      components: wordsOf(words[4]),
      ...(signedBy !== undefined && { signedBy }),
    });
  }
  return sources;
}

/** The binary sources of a file in the deb822 form; disabled ones are left out. */
export function parseDeb822Sources(text: string): AptSource[] {
  return parseControlFields(text)
    .filter(
      (fields) =>
        wordsOf(fields.get('types')).includes('deb') && !/^(no|false|0)$/i.test(fields.get('enabled') ?? ''),
    )
    .map((fields) => {
      const signedBy = fields.get('signed-by');
      return {
        uris: wordsOf(fields.get('uris')),
        suites: wordsOf(fields.get('suites')),
        components: wordsOf(fields.get('components')),
        ...(signedBy && { signedBy }),
      };
    });
}

const wordsOf = (text = '') => text.split(/\s+/).filter((word) => word !== '');

/**
 * Whether a source is Debian's own: it has `main`, and is signed by a keyring of debian-archive-keyring, or, where it leaves
 * the keyring to apt, ends in `/debian…` as mirrors do. Others use Debian's suite names too, but bring their own keys.
 */
function isDebianArchive({ uris, suites, components, signedBy }: AptSource): boolean {
  if (!components.includes('main')) return false;
  if (signedBy !== undefined) return /(^|\/)debian-archive-[^/\s]*(\s|$)/.test(signedBy);
  const isSecurity = suites.every((suite) => /(-security|\/updates)$/.test(suite));
  return isSecurity || uris.every((uri) => /\/debian[^/]*(\/\d{8}T\d{6}Z)?\/*$/.test(uri));
}

/** The mirrors among `sources` that carry `suite`, its updates, or its security updates; each once. */
function mirrorsOf(sources: readonly AptSource[], suite: string): HostArchive['mirrors'] {
  const roles = new Map<string, SuiteRole>([
    [suite, 'release'],
    [`${suite}-updates`, 'updates'],
    [`${suite}-security`, 'security'],
    [`${suite}/updates`, 'security'],
  ]);
  const mirrors = new Map<string, HostArchive['mirrors'][number]>();
  for (const { uris, suites, signedBy } of sources)
    for (const name of suites) {
      const role = roles.get(name.replace(/\/+$/, ''));
      if (role)
        mirrors.set(`${role} ${uris.join(' ')}`, { uris, role, ...(signedBy !== undefined && { signedBy }) });
    }
  return [...mirrors.values()];
}
