import { Failure } from '../base/errors.ts';
import { redactedAddress } from './route.ts';
import { type BlockId, type Store, storedBlockLimit } from './store.ts';
import { missingBlock, notCapable } from './store-errors.ts';

const requestTimeout = 30_000;

type Layout = 'sharded' | 'flat';
type Method = 'GET' | 'HEAD';

/**
 * Blocks behind a web server, for reading: `<base>/<2 hex>/<64 hex>`, else `<base>/<64 hex>`, with the query of the base
 * (flist format, section 3.4). Connections are kept between requests. User and password of the address become basic
 * authentication.
 */
export class HttpStore implements Store {
  readonly address: string;
  readonly capabilities = { write: false, list: false, delete: false };
  readonly #base: URL;
  readonly #headers: Record<string, string>;
  readonly #timeout: number;
  /** The layout that held the last block; asked first, so that a flat store costs one request a block and not two. */
  #layout: Layout = 'sharded';

  /** @param options.timeout milliseconds until a request that is not answered whole is given up. */
  constructor(base: URL, { timeout = requestTimeout }: { timeout?: number } = {}) {
    this.address = redactedAddress(base.href);
    this.#headers = authorization(base);
    this.#timeout = timeout;
    this.#base = new URL(base);
    this.#base.username = '';
    this.#base.password = '';
  }

  async get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#request('GET', id, signal, async (response) => {
      if (response === undefined) throw missingBlock(this, id);
      return readBody(response);
    });
  }

  async has(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    return this.#request('HEAD', id, signal, async (response) => response !== undefined);
  }

  async put(_id: BlockId): Promise<void> {
    throw notCapable(this, 'keep blocks');
  }

  // biome-ignore lint/correctness/useYield: it has nothing to give, only an error
  async *list(): AsyncIterable<BlockId> {
    throw notCapable(this, 'list its blocks');
  }

  async delete(_id: BlockId): Promise<void> {
    throw notCapable(this, 'delete blocks');
  }

  /** Asks in both layouts and hands the good answer, or undefined for none, to `use`; the time-out covers `use` too. */
  async #request<T>(
    method: Method,
    id: BlockId,
    signal: AbortSignal | undefined,
    use: (response: Response | undefined) => Promise<T>,
  ): Promise<T> {
    const timeout = AbortSignal.timeout(this.#timeout);
    const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
    try {
      const layouts: Layout[] = this.#layout === 'sharded' ? ['sharded', 'flat'] : ['flat', 'sharded'];
      for (const layout of layouts) {
        const response = await fetch(this.#url(id, layout), {
          method,
          headers: this.#headers,
          signal: either,
        });
        if (response.ok) {
          this.#layout = layout;
          return await use(response);
        }
        await response.body?.cancel();
        // A bucket that may not be listed says 403 for a key that is not there.
        const mayBeElsewhere = response.status === 404 || (response.status === 403 && layout === layouts[0]);
        if (!mayBeElsewhere) throw this.#refused(id, response.status);
      }
      return await use(undefined);
    } catch (error) {
      if (error instanceof Failure) throw error;
      signal?.throwIfAborted();
      throw this.#unreachable(id, error, timeout.aborted);
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

  #unreachable(id: BlockId, cause: unknown, timedOut: boolean): Failure {
    const hint = 'check the address, the network and the server';
    return timedOut
      ? new Failure('timeout', `${this.address} did not give block ${id} within ${this.#timeout} ms`, {
          hint,
        })
      : new Failure('unavailable', `${this.address} cannot be asked for block ${id}`, { cause, hint });
  }
}

function authorization(base: URL): Record<string, string> {
  if (base.username === '' && base.password === '') return {};
  const credentials = [base.username, base.password].map(percentDecoded).join(':');
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/** A lone `%`, which is no escape, stands for itself. */
function percentDecoded(text: string): string {
  return text.replace(/(%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString(),
  );
}

async function readBody(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > storedBlockLimit)
      throw new Failure('corrupt', `${redactedAddress(response.url)} is more than a block can be`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
