import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { sha256 } from '../../base/digest.ts';
import { Failure } from '../../base/errors.ts';
import { type HttpAnswer, type HttpOptions, HttpPool, httpSend } from '../../base/http.ts';
import type { S3Address } from './s3-address.ts';
import { type Environment, resolveIdentity, type S3Identity } from './s3-credentials.ts';
import { type Refusal, readRefusal, refusalFailure } from './s3-refusal.ts';
import { type AwsCredentials, emptyPayloadHash, signatureHeaders, signingKeyOf } from './sigv4.ts';

/** Connections to one server at most; there are as many as there are requests at one time, which a wrapper limits. */
const connections = 256;

export interface S3ClientOptions {
  /** Where credentials and certificates are looked for; that of the process. */
  readonly environment?: Environment;
  /** The clock that requests are signed by. */
  readonly now?: () => Date;
}

export interface S3Request {
  readonly method: NonNullable<HttpOptions['method']>;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | undefined;
}

/** What came of a request. */
export type Outcome =
  | { readonly answer: HttpAnswer; readonly refusal?: undefined }
  | { readonly answer?: undefined; readonly refusal: Refusal };

/** What a task can do. */
export interface S3Session {
  readonly identity: S3Identity;
  /** Sends one request. The body of its answer is to be read to the end or discarded. */
  ask(request: S3Request): Promise<Outcome>;
  /** The failure of the task that a refusal is. */
  refused(refusal: Refusal): Failure;
}

/** What is found out when the first request is made, and kept. */
interface Connection {
  readonly pool: HttpPool;
  readonly identity: S3Identity;
  /** The readings of the credentials that may still be the right one; undefined for no signature. */
  candidates: readonly (AwsCredentials | undefined)[];
}

/** Signed requests to one bucket, over connections that are kept. */
export class S3Client {
  readonly #address: string;
  readonly #place: S3Address;
  readonly #environment: Environment;
  readonly #now: () => Date;
  #signingKey:
    | { readonly day: string; readonly credentials: AwsCredentials; readonly key: KeyObject }
    | undefined;
  #connection: Promise<Connection> | undefined;

  /** @param address the store in messages */
  constructor(address: string, place: S3Address, options: S3ClientOptions = {}) {
    this.#address = address;
    this.#place = place;
    this.#environment = options.environment ?? process.env;
    this.#now = options.now ?? (() => new Date());
  }

  /**
   * Does what takes one or more requests.
   * @param task for messages: `give block …`
   * @throws Failure `unavailable`, `config` for certificates and credentials that are not right, and what `steps`
   * throws; the reason of the signal when it ends the task.
   */
  async run<T>(
    task: string,
    signal: AbortSignal | undefined,
    steps: (session: S3Session) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      const connection = await this.#connect();
      const { identity } = connection;
      const asked = { address: this.#address, bucket: this.#place.bucket, task, identity };
      return await steps({
        identity,
        ask: (request) => this.#ask(request, connection, signal),
        refused: (refusal) => refusalFailure(refusal, { ...asked, now: this.#now().getTime() }),
      });
    } catch (error) {
      if (error instanceof Failure) throw error;
      signal?.throwIfAborted();
      throw this.#unreachable(task, error);
    }
  }

  #connect(): Promise<Connection> {
    this.#connection ??= this.#prepare().catch((error: unknown) => {
      this.#connection = undefined;
      throw error;
    });
    return this.#connection;
  }

  async #prepare(): Promise<Connection> {
    const identity = await resolveIdentity(this.#place, this.#environment);
    const file = this.#place.ca ?? (this.#environment['AWS_CA_BUNDLE'] || undefined);
    const ca = file === undefined ? undefined : await readCertificates(file);
    const pool = new HttpPool({ connections, ...(ca !== undefined && { ca }) });
    return {
      pool,
      identity,
      candidates: identity.credentials.length > 0 ? identity.credentials : [undefined],
    };
  }

  async #ask(request: S3Request, connection: Connection, signal: AbortSignal | undefined): Promise<Outcome> {
    const [credentials, otherReading] = connection.candidates;
    const outcome = await this.#send(request, connection, credentials, signal);
    if (otherReading === undefined) return outcome;
    if (outcome.answer) connection.candidates = [credentials];
    if (outcome.refusal?.code !== wrongSecret) return outcome;
    const other = await this.#send(request, connection, otherReading, signal);
    if (other.refusal?.code !== wrongSecret) connection.candidates = [otherReading];
    return other;
  }

  async #send(
    { method, url, headers, body }: S3Request,
    { pool, identity }: Connection,
    credentials: AwsCredentials | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Outcome> {
    const signed = credentials && this.#sign({ method, url, headers, body }, identity, credentials);
    const answer = await httpSend(url, {
      method,
      headers: { ...headers, ...signed },
      pool,
      redirects: 'hand-out',
      ...(body && { body }),
      ...(signal && { signal }),
    });
    return answer.ok ? { answer } : { refusal: await readRefusal(answer) };
  }

  #sign(
    { method, url, headers, body }: S3Request,
    { region }: S3Identity,
    credentials: AwsCredentials,
  ): Record<string, string> {
    const { accessKey, secretKey, sessionToken } = credentials;
    const scope = { region, service: 's3' };
    const now = this.#now();
    const day = now.toISOString().slice(0, 10);
    if (this.#signingKey?.day !== day || this.#signingKey.credentials !== credentials)
      this.#signingKey = { day, credentials, key: signingKeyOf(secretKey, scope, now) };
    const payloadHash = body === undefined ? emptyPayloadHash : sha256(body);
    const added = {
      'x-amz-content-sha256': payloadHash,
      ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
    };
    const request = { method, url, headers: { ...headers, ...added }, payloadHash };
    return { ...added, ...signatureHeaders(request, accessKey, this.#signingKey.key, scope, now) };
  }

  #unreachable(task: string, cause: unknown): Failure {
    const what = `${this.#address} did not ${task}`;
    const code = `${(cause as { code?: unknown }).code ?? ''}`;
    if (untrusted.test(code))
      return new Failure('config', `${what}: its certificate is not trusted`, {
        cause,
        hint: 'name the file of the certificate that signed it with ?ca=PATH in the address, or in AWS_CA_BUNDLE',
      });
    return new Failure('unavailable', `${what}: it cannot be reached, or hung up`, {
      cause,
      hint: 'check the address, the network and the server',
    });
  }
}

const wrongSecret = 'SignatureDoesNotMatch';

/** What OpenSSL and Node.js call a certificate that they do not accept. */
const untrusted = /^(CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_|ERR_TLS_CERT|INVALID_CA)/;

async function readCertificates(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Failure('config', `the certificates in ${file} cannot be read`, { cause });
  });
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new Failure('config', `${file} has no certificates`, {
    hint: 'give a file in PEM, with BEGIN CERTIFICATE',
  });
}
