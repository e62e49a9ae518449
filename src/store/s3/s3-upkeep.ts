import type { Failure } from '../../base/errors.ts';
import { readAtMost } from '../block-body.ts';
import type { BlockId } from '../store.ts';
import type { BlockStat, BlockUpkeep, Leftovers } from '../upkeep.ts';
import type { S3Client } from './s3-client.ts';
import { saysMissing } from './s3-refusal.ts';

/** A block that is younger, in milliseconds, need not be made young again when it is claimed: that costs a request. */
const youngEnough = 3_600_000;

/** The answer to a copy is a few lines of XML. */
const longestCopyAnswer = 64 * 1024;

interface Head {
  readonly found?: BlockStat;
  readonly failure?: Failure;
}

/** How a block is called in requests. */
export interface S3Names {
  readonly url: (id: BlockId) => URL;
  /** `/BUCKET/KEY`, escaped as in a URL. */
  readonly copySource: (id: BlockId) => string;
}

/**
 * The age of blocks in a bucket is `Last-Modified` of their objects, by the clock of the server, which differs from ours by
 * at most 15 minutes: it would not take our signatures else. Between looking at the age and deleting lies the time of one
 * request, in which a claim is lost; `rfs gc` leaves hours between.
 */
export class S3Upkeep implements BlockUpkeep {
  readonly #client: S3Client;
  readonly #names: S3Names;
  readonly #renewAfter: number;

  constructor(client: S3Client, names: S3Names, renewAfter = youngEnough) {
    this.#client = client;
    this.#names = names;
    this.#renewAfter = renewAfter;
  }

  /** Undefined where the server does not say whether there is such a block. */
  async claim(id: BlockId, signal?: AbortSignal): Promise<boolean | undefined> {
    const { found } = await this.#head(id, signal);
    if (found === undefined) return undefined;
    return Date.now() - found.modified < this.#renewAfter || this.#copyOntoItself(id, signal);
  }

  async stat(id: BlockId, signal?: AbortSignal): Promise<BlockStat | undefined> {
    const { found, failure } = await this.#head(id, signal);
    if (failure !== undefined) throw failure;
    return found;
  }

  #head(id: BlockId, signal: AbortSignal | undefined): Promise<Head> {
    return this.#client.run(`tell of block ${id}`, signal, async ({ ask, refused }): Promise<Head> => {
      const { answer, refusal } = await ask({ method: 'HEAD', url: this.#names.url(id) });
      if (refusal) return refusal.status === 404 ? {} : { failure: refused(refusal) };
      answer.discard();
      const modified = Date.parse(answer.headers['last-modified'] ?? '');
      const size = Number(answer.headers['content-length'] ?? 0);
      return { found: { size, modified: Number.isNaN(modified) ? Date.now() : modified } };
    });
  }

  async sweep(id: BlockId, before: number, signal?: AbortSignal): Promise<boolean> {
    const found = await this.stat(id, signal);
    if (found === undefined || found.modified >= before) return false;
    return this.#client.run(`delete block ${id}`, signal, async ({ ask, refused }) => {
      const { answer, refusal } = await ask({ method: 'DELETE', url: this.#names.url(id) });
      if (refusal && !saysMissing(refusal)) throw refused(refusal);
      answer?.discard();
      return answer !== undefined;
    });
  }

  /** An object that is put is whole or not there. */
  async tidy(): Promise<Leftovers> {
    return { files: 0, bytes: 0 };
  }

  /** Gives the object a new time; false where that does not work, so that the block is put again. */
  #copyOntoItself(id: BlockId, signal: AbortSignal | undefined): Promise<boolean> {
    return this.#client.run(`renew block ${id}`, signal, async ({ ask }) => {
      const { answer } = await ask({
        method: 'PUT',
        url: this.#names.url(id),
        headers: {
          'content-type': 'application/octet-stream',
          'x-amz-copy-source': this.#names.copySource(id),
          'x-amz-metadata-directive': 'REPLACE',
        },
      });
      if (answer === undefined) return false;
      // A copy may fail after its answer has begun: then an error stands in a body with status 200.
      const body = await readAtMost(answer.body, longestCopyAnswer);
      return body !== undefined && Buffer.from(body).includes('<CopyObjectResult');
    });
  }
}
