import { open } from 'node:fs/promises';
import { ByteReader } from '../archive/byte-reader.ts';
import { decompressStream, detectCompression } from '../archive/compression.ts';
import { decodeTarHeader, tarBlockSize } from '../archive/tar.ts';
import { errnoOf, Failure } from '../base/errors.ts';
import { FileRange, type OpenFile } from '../base/file-range.ts';
import { Spool } from '../base/spool.ts';
import { SliceContent } from '../tree/content.ts';
import { readTar } from '../tree/read-tar.ts';
import { TreeBuilder } from '../tree/tree-builder.ts';

/** What is in a tar archive. Contents are there until it is closed. */
export interface OpenTar {
  readonly tree: TreeBuilder;
  close(): Promise<void>;
}

/** The most plain bytes of a compressed archive. */
const defaultLimit = 64 * 2 ** 30;

/**
 * Opens a tar archive of any size, plain or compressed with gzip, zstd or xz. Contents stay in the file, or, when it is
 * compressed, in a temporary file with its plain bytes; memory holds only what names them. Members are taken as if they were
 * extracted: see `TreeBuilder`.
 * @throws Failure `not-found`, `failed` for what is no tar archive or has members that a tree cannot hold, `corrupt`, `hostile`
 * for names that leave the tree or too many bytes
 */
export async function openTar(path: string, { limit = defaultLimit } = {}): Promise<OpenTar> {
  const file = await openRegularFile(path);
  const opened: OpenFile[] = [file];
  const close = async () => {
    for (const { handle } of opened.splice(0)) await handle.close();
  };
  try {
    const { size } = await file.handle.stat();
    const compression = detectCompression(await headOf(new FileRange(file, 0, size), 6, path));
    if (!(await isTar(path)))
      throw new Failure('failed', `${path} is no tar archive`, {
        hint: 'it may be plain, or compressed with gzip, zstd or xz',
      });
    if (compression === 'none')
      return { tree: await readTree(new FileRange(file, 0, size), file, path), close };
    const spool = await Spool.open();
    opened.push(spool);
    const plain = decompressStream(new FileRange(file, 0, size), { limit, name: path });
    return { tree: await readTree(spool.tee(plain), spool, path), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Whether a file begins as a tar archive does, perhaps compressed. */
export async function isTar(path: string): Promise<boolean> {
  const file = await openRegularFile(path);
  try {
    const { size } = await file.handle.stat();
    const bytes = decompressStream(new FileRange(file, 0, size), { name: path });
    return isHeader(await headOf(bytes, tarBlockSize, path));
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  } finally {
    await file.handle.close();
  }
}

async function headOf(bytes: AsyncIterable<Uint8Array>, size: number, name: string): Promise<Uint8Array> {
  const reader = new ByteReader(bytes, name);
  try {
    return await reader.peek(size);
  } finally {
    await reader.close();
  }
}

function isHeader(block: Uint8Array): boolean {
  try {
    decodeTarHeader(block);
    return block.length === tarBlockSize;
  } catch {
    return false;
  }
}

async function readTree(
  bytes: AsyncIterable<Uint8Array>,
  contents: OpenFile,
  name: string,
): Promise<TreeBuilder> {
  const tree = new TreeBuilder();
  const content = ({ offset, size }: { offset: number; size: number }) =>
    new SliceContent(contents, offset, size);
  for await (const member of readTar(bytes, { content, name })) {
    try {
      if ('linkTo' in member) tree.link(member.name, member.linkTo);
      else tree.put(member.name, member.entry);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw new Failure(error.kind, `${name}: ${error.message}`, {
        ...(error.hint !== undefined && { hint: error.hint }),
      });
    }
  }
  return tree;
}

async function openRegularFile(path: string): Promise<OpenFile> {
  const handle = await open(path).catch((cause: unknown) => {
    const isMissing = errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR';
    throw new Failure(isMissing ? 'not-found' : 'denied', `cannot open ${path}`, {
      cause,
      hint: isMissing ? 'look at the path' : 'run as a user who may read it',
    });
  });
  if ((await handle.stat()).isFile()) return { handle, path };
  await handle.close();
  throw new Failure('failed', `${path} is no regular file`, {
    hint: 'write what it gives into a file first',
  });
}
