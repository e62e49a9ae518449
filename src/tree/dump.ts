import { createHash } from 'node:crypto';
import type { Content } from './content.ts';
import { bytesContent } from './content.ts';
import { type Entry, Tree } from './tree.ts';

/** One entry of the text form: plain JSON values, contents by digest. */
interface DumpedEntry {
  path: string;
  kind: Entry['kind'];
  mode: string;
  uid: number;
  gid: number;
  mtime: number;
  ns?: number;
  xattrs?: Record<string, string>;
  size?: number;
  sha256?: string;
  link?: string;
  target?: string;
  device?: [major: number, minor: number];
}

/** The SHA-256 of a content, read from it when it is not known. */
export async function contentDigest(content: Content): Promise<string> {
  if (content.digest !== undefined) return content.digest;
  const hash = createHash('sha256');
  for await (const chunk of content.chunks()) hash.update(chunk);
  return hash.digest('hex');
}

/**
 * The text form of a tree: one line of JSON an entry, in path order. Equal trees have equal text; the digest of a tree is
 * the SHA-256 of it.
 */
export async function dumpTree(tree: Tree): Promise<string> {
  const lines: string[] = [];
  for (const [path, entry] of tree) lines.push(JSON.stringify(await dumpEntry(path, entry)));
  return `${lines.join('\n')}\n`;
}

async function dumpEntry(path: string, entry: Entry): Promise<DumpedEntry> {
  const { kind, mode, uid, gid, mtime, mtimeNs, xattrs } = entry;
  return {
    path,
    kind,
    mode: mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    mtime,
    ...(mtimeNs && { ns: mtimeNs }),
    ...(xattrs?.size && {
      xattrs: Object.fromEntries(
        [...xattrs].sort().map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
      ),
    }),
    ...(entry.kind === 'file' && {
      size: entry.content.size,
      sha256: await contentDigest(entry.content),
      ...(entry.hardLink !== undefined && { link: entry.hardLink }),
    }),
    ...(entry.kind === 'symlink' && { target: entry.target }),
    ...((entry.kind === 'character' || entry.kind === 'block') && { device: [entry.major, entry.minor] }),
  };
}

/** The tree of a text form; `content` gives the bytes of a digest. */
export function parseTreeDump(text: string, content: (sha256: string, size: number) => Content): Tree {
  const entries: [string, Entry][] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const dumped = JSON.parse(line) as DumpedEntry;
    entries.push([dumped.path, parseEntry(dumped, content)]);
  }
  return Tree.from(entries);
}

function parseEntry(dumped: DumpedEntry, content: (sha256: string, size: number) => Content): Entry {
  const metadata = {
    mode: Number.parseInt(dumped.mode, 8),
    uid: dumped.uid,
    gid: dumped.gid,
    mtime: dumped.mtime,
    ...(dumped.ns !== undefined && { mtimeNs: dumped.ns }),
    ...(dumped.xattrs && {
      xattrs: new Map(
        Object.entries(dumped.xattrs).map(([name, value]) => [name, Buffer.from(value, 'base64')]),
      ),
    }),
  };
  switch (dumped.kind) {
    case 'file':
      return {
        kind: 'file',
        ...metadata,
        content: dumped.size === 0 ? bytesContent('', dumped.sha256) : content(dumped.sha256!, dumped.size!),
        ...(dumped.link !== undefined && { hardLink: dumped.link }),
      };
    case 'symlink':
      return { kind: 'symlink', ...metadata, target: dumped.target! };
    case 'character':
    case 'block':
      return { kind: dumped.kind, ...metadata, major: dumped.device![0], minor: dumped.device![1] };
    default:
      return { kind: dumped.kind, ...metadata };
  }
}

/** A content that a text form names. */
export interface DumpedContent {
  readonly sha256: string;
  readonly size: number;
}

/** The contents that a text form names, without those that have no bytes. */
export function dumpedContents(text: string): DumpedContent[] {
  const contents: DumpedContent[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const { sha256, size } = JSON.parse(line) as DumpedEntry;
    if (sha256 !== undefined && size) contents.push({ sha256, size });
  }
  return contents;
}
