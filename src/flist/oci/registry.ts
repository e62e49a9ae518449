import { z } from 'zod';
import { describeError, Failure } from '../../base/errors.ts';
import { type HttpAnswer, type HttpOptions, HttpPool, httpSend } from '../../base/http.ts';
import { type RetryOptions, withRetries } from '../../store/wrappers/retry.ts';
import { bytesContent, type Content } from '../../tree/content.ts';
import type { RegistryLogin } from './credentials.ts';
import { collect, type Digest, digestOf, isDigest, readVerified } from './digest.ts';
import { type Descriptor, type Document, documentLimit, documentTypes, parseDocument } from './documents.ts';
import { type ImageChoice, type ImageSource, resolveImage } from './image.ts';
import type { OpenImage } from './image-tree.ts';
import { formatReference, type ImageReference, isLoopback, registryHost } from './reference.ts';
import { RegistryAuth } from './registry-auth.ts';

export interface RegistryOptions {
  readonly login?: RegistryLogin;
  /** Whether the registry may be asked without TLS, when it does not speak it; one on this machine always may. */
  readonly isInsecure?: boolean;
  /** Milliseconds without a byte after which a request is given up; 60,000 by default. */
  readonly idle?: number;
  readonly retry?: RetryOptions;
}

/** Opens the image of a registry. @throws Failure `denied`, `not-found`, `unavailable`, `timeout`, and as `resolveImage` */
export async function openRegistryImage(
  reference: ImageReference,
  choice: ImageChoice,
  options: RegistryOptions = {},
): Promise<OpenImage> {
  const registry = new Registry(reference, await protocolOf(reference, options), options);
  try {
    const { document, digest } = await registry.manifest(reference.digest ?? reference.tag!);
    return { image: await resolveImage(registry, document, choice, digest), close: () => registry.close() };
  } catch (error) {
    await registry.close();
    throw error;
  }
}

const defaultIdle = 60_000;
const mostRedirects = 5;

/** TLS, except where it may be left out and is not spoken, or not with a certificate that is trusted. */
async function protocolOf(
  { registry }: ImageReference,
  { isInsecure = false, idle = defaultIdle }: RegistryOptions,
): Promise<'http' | 'https'> {
  if (!isInsecure && !isLoopback(registry)) return 'https';
  try {
    const url = new URL(`https://${registryHost(registry)}/v2/`);
    const answer = await httpSend(url, { redirects: 'hand-out', signal: AbortSignal.timeout(idle) });
    answer.discard();
    return 'https';
  } catch {
    return 'http';
  }
}

/** One repository of a registry, for pulling (OCI distribution spec, "Pull"; Docker's HTTP API V2 is the same). */
class Registry implements ImageSource {
  readonly name: string;
  readonly #base: URL;
  readonly #idle: number;
  readonly #retry: RetryOptions;
  readonly #auth: RegistryAuth;
  readonly #pool = new HttpPool();
  readonly #closed = new AbortController();

  constructor(
    reference: ImageReference,
    protocol: 'http' | 'https',
    { login = {}, idle = defaultIdle, retry = {} }: RegistryOptions,
  ) {
    const { registry, repository } = reference;
    this.name = formatReference(reference);
    this.#base = new URL(`${protocol}://${registryHost(registry)}/v2/${repository}/`);
    this.#idle = idle;
    this.#retry = retry;
    this.#auth = new RegistryAuth(this.#base, repository, login, (url, request) => this.#send(url, request));
  }

  /** What a tag or digest stands for, held against the digest. */
  async manifest(reference: string): Promise<{ document: Document; digest: Digest }> {
    const name = `${this.name}: the manifest`;
    const { bytes, answer } = await this.#manifestBytes(reference, name);
    const said = answer.headers['docker-content-digest'];
    const expected = isDigest(reference)
      ? reference
      : typeof said === 'string' && isDigest(said)
        ? said
        : undefined;
    if (expected !== undefined) await readVerified([bytes], { digest: expected }, name, documentLimit);
    const [type] = answer.headers['content-type']?.split(';') ?? [];
    return { document: parseDocument(bytes, name, type?.trim()), digest: expected ?? digestOf(bytes) };
  }

  async document({ digest }: Descriptor): Promise<Content> {
    return bytesContent((await this.#manifestBytes(digest, `${this.name}: the manifest ${digest}`)).bytes);
  }

  async blob({ digest, size }: Descriptor): Promise<Content> {
    const chunks = () => this.#blobChunks(digest);
    return { size, chunks, read: () => collect(chunks(), `${this.name}: ${digest}`, size) };
  }

  /** Ends every request that is on its way. */
  async close(): Promise<void> {
    this.#closed.abort(new Failure('failed', `${this.name} is not read any more`));
  }

  #manifestBytes(reference: string, name: string): Promise<{ bytes: Buffer; answer: HttpAnswer }> {
    return this.#withRetries(async () => {
      const answer = await this.#get(`manifests/${reference}`, { accept: documentTypes.join(', ') });
      return { bytes: await collect(answer.body, name, documentLimit), answer };
    });
  }

  /** The bytes of a blob; when they stop on the way, they are asked for again from there on. */
  async *#blobChunks(digest: Digest): AsyncGenerator<Uint8Array> {
    let done = 0;
    let stream: AsyncIterator<Uint8Array> | undefined;
    try {
      for (;;) {
        const next = await this.#withRetries(async () => {
          stream ??= (await this.#openBlob(digest, done))[Symbol.asyncIterator]();
          try {
            return await stream.next();
          } catch (error) {
            stream = undefined;
            throw error;
          }
        });
        if (next.done) return;
        done += next.value.length;
        yield next.value;
      }
    } finally {
      await stream?.return?.();
    }
  }

  async #openBlob(digest: Digest, from: number): Promise<AsyncIterable<Uint8Array>> {
    const answer = await this.#get(`blobs/${digest}`, from > 0 ? { range: `bytes=${from}-` } : {});
    if (from === 0) return answer.body;
    const start = /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1];
    return answer.status === 206 && Number(start) === from ? answer.body : without(answer.body, from);
  }

  /** A successful answer of the registry to a path in the repository. */
  async #get(path: string, headers: Record<string, string>): Promise<HttpAnswer> {
    for (let isSecond = false; ; isSecond = true) {
      const { header } = this.#auth;
      const all = header === undefined ? headers : { ...headers, authorization: header };
      const answer = await this.#send(new URL(path, this.#base), { headers: all });
      if (answer.ok) return answer;
      if (answer.status !== 401 || isSecond) throw await this.#refused(path, answer);
      answer.discard();
      await this.#auth.renew(header, answer.headers['www-authenticate']);
    }
  }

  /** Follows redirects, as registries do for blobs; who asks is said to the first server only, and nothing leaves TLS. */
  async #send(url: URL, options: HttpOptions): Promise<HttpAnswer> {
    let at = url;
    let headers = options.headers ?? {};
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      const answer = await this.#sendOnce(at, { ...options, headers });
      const { location } = answer.headers;
      if (answer.status < 300 || answer.status >= 400 || location === undefined) return answer;
      answer.discard();
      const next = URL.canParse(location, at.href) ? new URL(location, at) : undefined;
      const isSafe = next?.protocol === 'https:' || (next?.protocol === 'http:' && at.protocol === 'http:');
      if (next === undefined || !isSafe)
        throw new Failure('hostile', `${at.host} redirects to where nothing may be asked for without TLS`, {
          hint: 'tell its operator, or pull with --insecure on a network that you trust',
        });
      next.username = next.password = '';
      if (next.origin !== at.origin) {
        const { authorization: _, ...others } = headers;
        headers = others;
      }
      at = next;
    }
    throw new Failure('unavailable', `${url.host} redirects more than ${mostRedirects} times`);
  }

  async #sendOnce(url: URL, options: HttpOptions): Promise<HttpAnswer> {
    const idle = new IdleTimer(this.#idle, this.#closed.signal);
    try {
      const signal = idle.signal;
      const answer = await httpSend(url, { ...options, signal, pool: this.#pool, redirects: 'hand-out' });
      idle.pause();
      return { ...answer, body: this.#watched(answer.body, idle, url) };
    } catch (error) {
      throw this.#unreachable(error, idle, url);
    }
  }

  /** A body whose every chunk shows that the server is there. */
  async *#watched(body: AsyncIterable<Uint8Array>, idle: IdleTimer, url: URL): AsyncGenerator<Uint8Array> {
    idle.resume();
    try {
      for await (const chunk of body) {
        idle.pause(); // what the reader takes its time for is not the server's
        yield chunk;
        idle.resume();
      }
    } catch (error) {
      throw this.#unreachable(error, idle, url);
    } finally {
      idle.pause();
    }
  }

  #unreachable(cause: unknown, idle: IdleTimer, { host }: URL): unknown {
    if (this.#closed.signal.aborted) return this.#closed.signal.reason;
    idle.pause();
    if (idle.isOver)
      return new Failure('timeout', `${host} sent nothing for ${this.#idle} ms`, { hint: 'try again later' });
    if (cause instanceof Failure) return cause;
    const looksLikeHttp = /wrong version number|packet length too long/i.test(describeError(cause));
    return new Failure('unavailable', `${host} cannot be asked`, {
      cause,
      hint: looksLikeHttp
        ? 'it does not speak TLS: try --insecure'
        : 'check the name, the network and the server',
    });
  }

  async #refused(path: string, answer: HttpAnswer): Promise<Failure> {
    const why = await refusalOf(answer);
    const { status } = answer;
    const said = `answers ${status}${why === '' ? '' : ` (${why})`}`;
    if (status === 401 && this.#auth.header !== undefined)
      return this.#auth.denied(`does not accept the credentials: it ${said}`);
    if (status === 401 || status === 403) return this.#auth.denied(said);
    const host = this.#base.host;
    if (status === 404)
      return new Failure('not-found', `${this.name}: ${host} has no ${path}`, {
        cause: new Error(said),
        hint: 'look at the name and the tag',
      });
    const mayPass = status === 408 || status === 429 || status >= 500;
    return new Failure(mayPass ? 'unavailable' : 'failed', `${this.name}: ${host} ${said}`, {
      hint: hintFor(status, this.#base),
    });
  }

  #withRetries<T>(task: () => Promise<T>): Promise<T> {
    return withRetries(this.#retry, this.#closed.signal, task);
  }
}

/** Aborts after a time without an event. */
class IdleTimer {
  readonly #controller = new AbortController();
  readonly #time: number;
  #timer: NodeJS.Timeout | undefined;
  readonly signal: AbortSignal;

  constructor(time: number, outer: AbortSignal) {
    this.#time = time;
    this.signal = AbortSignal.any([this.#controller.signal, outer]);
    this.resume();
  }

  get isOver(): boolean {
    return this.#controller.signal.aborted;
  }

  pause(): void {
    clearTimeout(this.#timer);
  }

  resume(): void {
    this.pause();
    this.#timer = setTimeout(() => this.#controller.abort(), this.#time).unref();
  }
}

const refusal = z.object({
  errors: z.array(z.object({ code: z.string().optional(), message: z.string().optional() })).min(1),
});

/** What a registry says of its refusal (OCI distribution spec, "Error Codes"), fit to be shown. */
async function refusalOf(answer: HttpAnswer): Promise<string> {
  try {
    const bytes = await collect(answer.body, 'refusal', 1 << 16);
    const [first] = refusal.parse(JSON.parse(bytes.toString())).errors;
    const words = [first!.code, first!.message].filter((each) => each).join(': ');
    return words.replace(/\p{C}+/gu, ' ').slice(0, 200);
  } catch {
    return '';
  }
}

function hintFor(status: number, { protocol }: URL): string {
  if (status === 429) return 'it limits how often it is asked: log in, or try later';
  return status === 400 && protocol === 'http:'
    ? 'it may want TLS: name the file of its certificate authority in NODE_EXTRA_CA_CERTS'
    : 'try again later';
}

/** The bytes behind the first `size` ones. */
async function* without(body: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let left = size;
  for await (const chunk of body) {
    const skipped = Math.min(left, chunk.length);
    left -= skipped;
    if (skipped < chunk.length) yield chunk.subarray(skipped);
  }
}
