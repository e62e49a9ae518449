import { Failure } from '../../base/errors.ts';
import { percentDecoded } from '../../base/http.ts';
import { readAtMost, readBlockBody } from '../block-body.ts';
import { redactedAddress } from '../route.ts';
import { type BlockId, isBlockId, type Store } from '../store.ts';
import { missingBlock, requireBlockId } from '../store-errors.ts';
import { objectUrl, parseS3Address, type S3Address } from './s3-address.ts';
import { S3Client, type S3ClientOptions } from './s3-client.ts';
import { mayBeMissing, saysMissing } from './s3-refusal.ts';
import { S3Upkeep } from './s3-upkeep.ts';
import { uriEncode } from './sigv4.ts';
import { childText, parseXml } from './xml.ts';

export interface S3Options extends S3ClientOptions {
  /** Keys that a page of the list may have; the server's most without it. */
  readonly pageSize?: number;
  /** Age in milliseconds from which on a block that is claimed is renewed; an hour without it. */
  readonly renewAfter?: number;
}

/** One page of a list; `next` leads to the one after it. */
interface ListPage {
  readonly keys: readonly string[];
  readonly next: string | undefined;
}

/** A page has at most 1000 keys of at most 1024 bytes, which may all be escaped. */
const longestPage = 8 << 20;

/**
 * Blocks as objects `<prefix><64 hex>` of a bucket, over the S3 protocol as Amazon, Ceph and others speak it (flist format,
 * section 3.3). Each block is one request, and an object that is put is whole or not there.
 */
export class S3Store implements Store {
  readonly address: string;
  readonly capabilities = { write: true, list: true, delete: true };
  readonly upkeep: S3Upkeep;
  readonly #place: S3Address;
  readonly #client: S3Client;
  readonly #pageSize: number | undefined;
  /** Whether a block was seen here, so that the bucket exists and its objects may be read. */
  #isReadable = false;
  /** Status codes without a reason, as every answer to a HEAD is, that are known to mean that there is no such object. */
  readonly #absent = new Set<number>();

  /**
   * Contacts nobody yet.
   * @throws Failure `usage` for an address that is none.
   */
  constructor(url: URL, options: S3Options = {}) {
    this.#place = parseS3Address(url);
    this.address = redactedAddress(url.href);
    this.#client = new S3Client(this.address, this.#place, options);
    this.#pageSize = options.pageSize;
    const names = {
      url: (id: BlockId) => this.#url(id),
      copySource: (id: BlockId) =>
        `/${[this.#place.bucket, ...this.#key(id).split('/')].map(uriEncode).join('/')}`,
    };
    this.upkeep = new S3Upkeep(this.#client, names, options.renewAfter);
  }

  async get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    requireBlockId(id);
    return this.#client.run(`give block ${id}`, signal, async ({ ask, refused }) => {
      const { answer, refusal } = await ask({ method: 'GET', url: this.#url(id) });
      if (refusal) {
        const isMissing = saysMissing(refusal) || (mayBeMissing(refusal) && this.#isReadable);
        throw isMissing ? missingBlock(this, id) : refused(refusal);
      }
      const bytes = await readBlockBody(answer.body, this.address);
      this.#isReadable = true;
      return bytes;
    });
  }

  async has(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    requireBlockId(id);
    return this.#client.run(`tell of block ${id}`, signal, async ({ ask, refused, identity }) => {
      const url = this.#url(id);
      const head = await ask({ method: 'HEAD', url });
      if (head.answer) {
        head.answer.discard();
        this.#isReadable = true;
        return true;
      }
      if (this.#absent.has(head.refusal.status)) return false;
      const { answer, refusal } = await ask({ method: 'GET', url, headers: { range: 'bytes=0-0' } });
      if (answer) {
        answer.discard();
        return true;
      }
      // Who signs well may be one who puts blocks and must not list: the put will tell.
      const mayRead = this.#isReadable || identity.credentials.length > 0;
      if (!saysMissing(refusal) && !(mayBeMissing(refusal) && mayRead)) throw refused(refusal);
      this.#absent.add(head.refusal.status);
      return false;
    });
  }

  async claim(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    requireBlockId(id);
    return (await this.upkeep.claim(id, signal)) ?? this.has(id, signal);
  }

  async put(id: BlockId, blob: Uint8Array, signal?: AbortSignal): Promise<void> {
    requireBlockId(id);
    await this.#client.run(`keep block ${id}`, signal, async ({ ask, refused }) => {
      const headers = { 'content-type': 'application/octet-stream' };
      const { answer, refusal } = await ask({ method: 'PUT', url: this.#url(id), headers, body: blob });
      if (refusal) throw refused(refusal);
      answer.discard();
    });
  }

  async delete(id: BlockId, signal?: AbortSignal): Promise<void> {
    requireBlockId(id);
    await this.#client.run(`delete block ${id}`, signal, async ({ ask, refused }) => {
      const { answer, refusal } = await ask({ method: 'DELETE', url: this.#url(id) });
      if (refusal && !saysMissing(refusal)) throw refused(refusal);
      answer?.discard();
    });
  }

  async *list(signal?: AbortSignal): AsyncIterable<BlockId> {
    const { prefix } = this.#place;
    let token: string | undefined;
    do {
      const page = await this.#listPage(token, signal);
      for (const key of page.keys) {
        const id = key.slice(prefix.length);
        if (key.startsWith(prefix) && isBlockId(id)) yield id;
      }
      if (page.next !== undefined && page.next === token)
        throw new Failure('corrupt', `${this.address} lists the same page again and again`);
      token = page.next;
    } while (token !== undefined);
  }

  #listPage(token: string | undefined, signal: AbortSignal | undefined): Promise<ListPage> {
    return this.#client.run('list its blocks', signal, async ({ ask, refused }) => {
      const parameters = {
        'list-type': '2',
        'encoding-type': 'url',
        delimiter: '/', // what lies deeper is somebody else's
        prefix: this.#place.prefix,
        ...(this.#pageSize !== undefined && { 'max-keys': `${this.#pageSize}` }),
        ...(token !== undefined && { 'continuation-token': token }),
      };
      const url = objectUrl(this.#place, '');
      url.search = Object.entries(parameters)
        .map((pair) => pair.map(uriEncode).join('='))
        .join('&');
      const { answer, refusal } = await ask({ method: 'GET', url });
      if (refusal) throw refused(refusal);
      const page = await readAtMost(answer.body, longestPage);
      if (page === undefined) throw new Failure('corrupt', `${this.address} answers with an endless list`);
      return readListPage(Buffer.from(page).toString(), this.address);
    });
  }

  #url(id: BlockId): URL {
    return objectUrl(this.#place, this.#key(id));
  }

  #key(id: BlockId): string {
    return this.#place.prefix + id;
  }
}

/** The answer to ListObjectsV2. */
function readListPage(text: string, address: string): ListPage {
  const list = parseXml(text);
  const isTruncated = childText(list, 'IsTruncated') === 'true';
  const next = childText(list, 'NextContinuationToken');
  if (list.name !== 'ListBucketResult' || (isTruncated && !next))
    throw new Failure('corrupt', `${address} answers with a list that cannot be read to its end`);
  const isEscaped = childText(list, 'EncodingType') === 'url';
  const keys = list.children
    .filter(({ name }) => name === 'Contents')
    .map((object) => childText(object, 'Key') ?? '')
    .map((key) => (isEscaped ? percentDecoded(key.replaceAll('+', ' ')) : key));
  return { keys, next: isTruncated ? next : undefined };
}
