import { Failure } from '../base/errors.ts';
import { type HttpAnswer, httpSend } from '../base/http.ts';
import { readBlockBody } from './block-body.ts';
import { redactedAddress } from './route.ts';
import type { BlockId, Store } from './store.ts';
import { missingBlock, notCapable, requireBlockId } from './store-errors.ts';

type Layout = 'sharded' | 'flat';
type Method = 'GET' | 'HEAD';

/**
 * Blocks behind a web server, for reading: `<base>/<2 hex>/<64 hex>`, else `<base>/<64 hex>`, with the query of the base
 * (flist format, section 3.4).
 */
export class HttpStore implements Store {
  readonly address: string;
  readonly capabilities = { write: false, list: false, delete: false };
  readonly #base: URL;
  /** The layout that held the last block; asked first, so that a flat store costs one request a block and not two. */
  #layout: Layout = 'sharded';

  constructor(base: URL) {
    this.address = redactedAddress(base.href);
    this.#base = new URL(base);
  }

  async get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#request('GET', id, signal, async (answer) => {
      if (answer === undefined) throw missingBlock(this, id);
      return readBlockBody(answer.body, this.address);
    });
  }

  async has(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    return this.#request('HEAD', id, signal, async (answer) => {
      answer?.discard();
      return answer !== undefined;
    });
  }

  async put(id: BlockId): Promise<void> {
    requireBlockId(id);
    throw notCapable(this, 'keep blocks');
  }

  // biome-ignore lint/correctness/useYield: it has nothing to give, only an error
  async *list(): AsyncIterable<BlockId> {
    throw notCapable(this, 'list its blocks');
  }

  async delete(id: BlockId): Promise<void> {
    requireBlockId(id);
    throw notCapable(this, 'delete blocks');
  }

  /** Asks in both layouts and hands the good answer, or undefined for none, to `use`. */
  async #request<T>(
    method: Method,
    id: BlockId,
    signal: AbortSignal | undefined,
    use: (answer: HttpAnswer | undefined) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    requireBlockId(id);
    try {
      const layouts: Layout[] = this.#layout === 'sharded' ? ['sharded', 'flat'] : ['flat', 'sharded'];
      for (const layout of layouts) {
        const answer = await httpSend(this.#url(id, layout), { method, ...(signal && { signal }) });
        if (answer.ok) {
          this.#layout = layout;
          return await use(answer);
        }
        answer.discard();
        // A bucket that may not be listed says 403 for a key that is not there.
        const mayBeElsewhere = answer.status === 404 || (answer.status === 403 && layout === layouts[0]);
        if (!mayBeElsewhere) throw this.#refused(id, answer.status);
      }
      return await use(undefined);
    } catch (error) {
      if (error instanceof Failure) throw error;
      signal?.throwIfAborted();
      throw this.#unreachable(id, error);
    }
  }

  #url(id: BlockId, layout: Layout): URL {
    const url = new URL(this.#base);
    const directory = url.pathname.replace(/\/+$/, '');
    url.pathname = layout === 'sharded' ? `${directory}/${id.slice(0, 2)}/${id}` : `${directory}/${id}`;
    return url;
  }

  #refused(id: BlockId, status: number): Failure {
    const denied = status === 401 || status === 403;
    return new Failure(
      denied ? 'denied' : 'unavailable',
      `${this.address} answers ${status} to block ${id}`,
      { hint: denied ? 'check the user and password in the address of the store' : 'try again later' },
    );
  }

  #unreachable(id: BlockId, cause: unknown): Failure {
    return new Failure('unavailable', `${this.address} cannot be asked for block ${id}`, {
      cause,
      hint: 'check the address, the network and the server',
    });
  }
}
