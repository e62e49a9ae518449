import { Failure } from '../../base/errors.ts';
import { redactedAddress } from '../route.ts';
import { type BlockId, isBlockId, type Store, storedBlockLimit } from '../store.ts';
import { missingBlock, notCapable, requireBlockId } from '../store-errors.ts';
import { RespError, type RespValue } from './resp.ts';
import { defaultNamespace, parseZdbUrl, type ZdbAddress } from './zdb-address.ts';
import { ZdbClient } from './zdb-client.ts';
import { isMissingKey, refusal, whoAnswers } from './zdb-errors.ts';
import { scanPages } from './zdb-scan.ts';

export interface ZdbOptions {
  /** Milliseconds for a connection to stand, and for each reply after the one before it. */
  readonly timeout?: number;
  /** Most connections at a time. */
  readonly connections?: number;
}

type Word = string | Uint8Array;
interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  readonly repeatable?: boolean;
}

/** A scan answers with many keys at once; every other reply is one block at most. */
const limits = { bulk: storedBlockLimit, reply: 16 << 20, values: 1 << 18 };

/**
 * Blocks in a 0-db in its user-key mode, or in a Redis: the key is the id as 32 raw bytes (flist format, section 3.5). A block that
 * is there is left as it is; to replace a damaged one, delete it first.
 */
export class ZdbStore implements Store {
  readonly address: string;
  readonly #client: ZdbClient;
  readonly #secret: string;
  #canList = true;

  /**
   * @param url as `parseZdbUrl` takes it.
   * @throws Failure `usage` for a URL that names neither a host nor a socket.
   */
  constructor(url: URL, { timeout = 30_000, connections = 4 }: ZdbOptions = {}) {
    this.address = redactedAddress(url.href);
    const address = parseZdbUrl(url);
    this.#secret = address.password;
    this.#client = new ZdbClient({
      target: address.target,
      timeout,
      connections,
      limits,
      greet: (ask) => this.#greet(ask, address),
    });
  }

  /** A server that turns out to have no SCAN cannot list. */
  get capabilities(): Store['capabilities'] {
    return { write: true, list: this.#canList, delete: true };
  }

  async get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    const what = `read block ${id}`;
    const reply = await this.#ask(what, ['GET', keyOf(id)], { signal });
    if (reply === null) throw missingBlock(this, id);
    if (!(reply instanceof Uint8Array)) throw this.#wrongReply(what);
    if (reply.length === 0) throw new Failure('corrupt', `${this.address} has an empty block ${id}`);
    return reply;
  }

  async put(id: BlockId, blob: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (await this.has(id, signal)) return;
    const what = `keep block ${id}`;
    const key = keyOf(id);
    const reply = await this.#ask(what, ['SET', key, blob], { signal });
    // 0-db answers nil where it thinks that it has the same bytes already; then somebody else was faster.
    if (reply === null) {
      if (!(await this.has(id, signal)))
        throw new Failure('failed', `${this.address} did not keep block ${id} and does not say why`);
    } else if (reply !== 'OK' && !(reply instanceof Uint8Array && key.equals(reply)))
      throw this.#wrongReply(what);
  }

  async has(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    const what = `look for block ${id}`;
    const reply = await this.#ask(what, ['EXISTS', keyOf(id)], { signal });
    if (reply !== 0n && reply !== 1n) throw this.#wrongReply(what);
    return reply === 1n;
  }

  async *list(signal?: AbortSignal): AsyncIterable<BlockId> {
    const what = 'list the blocks';
    // A key may come twice when the server changes while it is read.
    const seen = new Set<BlockId>();
    for await (const page of scanPages((words) => this.#reply(what, words, { signal }))) {
      if (page instanceof RespError) throw this.#refusal(what, page);
      if (page === 'unsupported') {
        this.#canList = false;
        throw notCapable(this, what);
      }
      if (page === 'malformed') throw this.#wrongReply(what);
      for (const key of page) {
        const id = Buffer.from(key).toString('hex');
        if (!isBlockId(id) || seen.has(id)) continue;
        seen.add(id);
        yield id;
      }
    }
  }

  async delete(id: BlockId, signal?: AbortSignal): Promise<void> {
    const what = `delete block ${id}`;
    // Not repeated: somebody may have put the block again in between.
    const reply = await this.#reply(what, ['DEL', keyOf(id)], { signal, repeatable: false });
    if (isMissingKey(reply)) return;
    if (reply instanceof RespError) throw this.#refusal(what, reply);
    if (reply !== 'OK' && typeof reply !== 'bigint') throw this.#wrongReply(what);
  }

  /**
   * What a new connection says first: `SELECT namespace [password]`, as rfs does. A Redis knows no password there; it gets AUTH.
   */
  async #greet(
    ask: (words: readonly Word[]) => Promise<RespValue>,
    { namespace, user, password }: ZdbAddress,
  ): Promise<void> {
    const isDefault = namespace === defaultNamespace;
    if (password === '') {
      if (!isDefault) this.#greeted(await ask(['SELECT', namespace]));
      return;
    }
    const reply = await ask(['SELECT', namespace, password]);
    if (!(reply instanceof RespError && /^(ERR wrong number of arguments|NOAUTH)/.test(reply.text)))
      return this.#greeted(reply);
    this.#greeted(await ask(user === '' ? ['AUTH', password] : ['AUTH', user, password]));
    if (!isDefault) this.#greeted(await ask(['SELECT', namespace]));
  }

  #greeted(reply: RespValue): void {
    if (reply instanceof RespError) throw refusal('the namespace is not opened', this.#shown(reply));
    if (reply !== 'OK')
      throw new Failure('corrupt', 'the reply to SELECT makes no sense', { hint: whoAnswers });
  }

  async #ask(what: string, words: readonly Word[], options: AskOptions): Promise<RespValue> {
    const reply = await this.#reply(what, words, options);
    if (reply instanceof RespError) throw this.#refusal(what, reply);
    return reply;
  }

  async #reply(
    what: string,
    words: readonly Word[],
    { signal, repeatable = true }: AskOptions,
  ): Promise<RespValue> {
    try {
      return await this.#client.request(words, { signal, repeatable });
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      throw new Failure(cause.kind, `${this.address}: cannot ${what}`, {
        cause,
        hint: cause.hint ?? 'check the address, the network and the server',
      });
    }
  }

  #refusal(what: string, error: RespError): Failure {
    return refusal(`${this.address}: cannot ${what}`, this.#shown(error));
  }

  /** A server may repeat the request that it refuses. */
  #shown({ text }: RespError): string {
    return this.#secret === '' ? text : text.replaceAll(this.#secret, '…');
  }

  #wrongReply(what: string): Failure {
    return new Failure('corrupt', `${this.address}: cannot ${what}: the reply makes no sense`, {
      hint: whoAnswers,
    });
  }
}

function keyOf(id: BlockId): Buffer {
  requireBlockId(id);
  return Buffer.from(id, 'hex');
}
