import { readFile } from 'node:fs/promises';
import { readAr } from '../../archive/ar.ts';
import { decompressStream } from '../../archive/compression.ts';
import { errnoOf, Failure } from '../../base/errors.ts';
import type { Content } from '../../tree/content.ts';
import { treeFromTar } from '../../tree/from-tar.ts';
import { type Tree, treePath } from '../../tree/tree.ts';
import { type ControlFields, parseControlFields } from './control-fields.ts';

export interface DebPackage {
  readonly control: ControlFields;
  /** Paths of the configuration files that it ships. */
  readonly conffiles: readonly string[];
  /** Names of its maintainer scripts, which are never run. */
  readonly scripts: readonly string[];
  readonly tree: Tree;
}

export interface ReadDebOptions {
  /** Moves the bytes of each file elsewhere, `Depot.keep` for one, so that a big package is never in memory unpacked. */
  readonly keep?: (content: Content) => Promise<Content>;
  /** What is read, for messages, where it is no file. */
  readonly name?: string;
}

const scriptNames = ['preinst', 'postinst', 'prerm', 'postrm', 'config'];
/** The most bytes of an unpacked control archive; the largest of Debian has less than 2 MB. */
const controlLimit = 32 << 20;

/**
 * Reads a Debian binary package: deb(5), format 2.0.
 * @param source a file, or the bytes of one
 * @throws Failure `not-found` without the file, `corrupt` when it is damaged, cut off or something else, `hostile` when its
 * paths leave the tree.
 */
export async function readDeb(
  source: string | Uint8Array,
  { keep, name = typeof source === 'string' ? source : 'package' }: ReadDebOptions = {},
): Promise<DebPackage> {
  const members = debMembers(typeof source === 'string' ? await readPackage(source) : source, name);
  const control = await memberTree(members.control, name, { limit: controlLimit });
  const text = async (path: string) =>
    Buffer.from((await control.file(path)?.content.read()) ?? []).toString();
  const fields = parseControlFields(await text('control'))[0] ?? new Map();
  for (const field of ['package', 'version', 'architecture'])
    if (!fields.get(field)) throw new Failure('corrupt', `${name}: its control file has no field ${field}`);
  return {
    control: fields,
    conffiles: shippedConffiles(await text('conffiles')),
    scripts: scriptNames.filter((script) => control.file(script)),
    tree: await memberTree(members.data, name, keep === undefined ? {} : { keep }),
  };
}

async function readPackage(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new Failure('not-found', `there is no package ${path}`, { cause: error });
  });
}

interface Member {
  readonly name: string;
  readonly data: Uint8Array;
}

/** The two archives of a package. Members whose name starts with `_` may stand anywhere and mean nothing. */
function debMembers(bytes: Uint8Array, name: string): { readonly control: Member; readonly data: Member } {
  const [version, control, data] = arMembers(bytes, name).filter((member) => !member.name.startsWith('_'));
  const corrupt = (why: string) =>
    new Failure('corrupt', `${name} is no Debian package: ${why}`, { hint: 'get the file again' });
  if (version?.name !== 'debian-binary') throw corrupt('it does not begin with the member debian-binary');
  const format = Buffer.from(version.data.subarray(0, 16)).toString('latin1').split('\n')[0];
  if (!/^2\.\d+$/.test(format!)) throw corrupt(`its format is ${JSON.stringify(format)}, not 2.0`);
  if (!isTar(control, 'control')) throw corrupt('its second member is not control.tar');
  if (!isTar(data, 'data')) throw corrupt('its third member is not data.tar');
  return { control, data };
}

function isTar(member: Member | undefined, kind: string): member is Member {
  return member !== undefined && new RegExp(`^${kind}\\.tar(\\.(gz|xz|zst))?$`).test(member.name);
}

function arMembers(bytes: Uint8Array, name: string): Member[] {
  try {
    return readAr(bytes);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.kind, `${name}: ${error.message}`, { cause: error, hint: 'get the file again' });
  }
}

function memberTree(
  member: Member,
  packageName: string,
  { limit, keep }: { readonly limit?: number; readonly keep?: (content: Content) => Promise<Content> },
): Promise<Tree> {
  const name = `${packageName} (${member.name})`;
  const plain = decompressStream(one(member.data), { name, ...(limit !== undefined && { limit }) });
  return treeFromTar(plain, { name, ...(keep && { keep }) });
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** The paths of a conffiles file; those with the flag `remove-on-upgrade` are not shipped (deb-conffiles(5)). */
function shippedConffiles(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('/'))
    .map((line) => treePath(line.trimEnd()));
}
