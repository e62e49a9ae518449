import { connect, type Socket } from 'node:net';
import { errnoOf, Failure } from '../../base/errors.ts';
import { encodeRequest, type RespLimits, RespReader, type RespValue } from './resp.ts';

/** Where a server listens: an address of the network, or a Unix socket. */
export type RespTarget = { readonly host: string; readonly port: number } | { readonly path: string };

export interface RespConnectionOptions {
  /** Milliseconds for the connection to stand, and from then on for each reply after the one before it. */
  readonly timeout: number;
  readonly limits: RespLimits;
}

/** The connection ended, and nobody knows whether the server did what it was asked for. */
export class ConnectionLost extends Error {}

/** A request whose reply is awaited. */
interface Exchange {
  resolve(reply: RespValue): void;
  reject(error: Error): void;
}

/**
 * One connection to a server that speaks RESP2. Requests are sent without waiting for replies, which come in the same order.
 * Without requests under way it does not keep the process alive.
 */
export class RespConnection {
  readonly #socket: Socket;
  readonly #timeout: number;
  readonly #reader: RespReader;
  readonly #exchanges: Exchange[] = [];
  #deadline: NodeJS.Timeout | undefined;
  #ended = false;

  private constructor(socket: Socket, { timeout, limits }: RespConnectionOptions) {
    this.#socket = socket;
    this.#timeout = timeout;
    this.#reader = new RespReader(limits);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (cause) => this.#end(new ConnectionLost('the connection broke', { cause })));
    socket.on('close', () => this.#end(new ConnectionLost('the server closed the connection')));
    socket.unref();
  }

  /** @throws Failure `unavailable`, `timeout`, or `denied` for a socket that may not be used. */
  static async open(target: RespTarget, options: RespConnectionOptions): Promise<RespConnection> {
    const socket = connect(target);
    const { timeout } = options;
    return new Promise((resolve, reject) => {
      const fail = (error: Failure) => {
        clearTimeout(deadline);
        socket.destroy();
        reject(error);
      };
      const deadline = setTimeout(() => {
        fail(new Failure('timeout', `no connection within ${timeout} ms`));
      }, timeout);
      const refused = (cause: Error) =>
        fail(
          new Failure(errnoOf(cause) === 'EACCES' ? 'denied' : 'unavailable', 'cannot connect', { cause }),
        );
      socket.once('error', refused).once('connect', () => {
        clearTimeout(deadline);
        socket.off('error', refused);
        resolve(new RespConnection(socket, options));
      });
    });
  }

  /** Called once, when no further request can be sent. */
  onEnd: () => void = () => {};

  /**
   * Sends a request and gives its reply.
   * @throws ConnectionLost, or Failure `timeout` or `corrupt` when this reply is the one that ended the connection.
   */
  exchange(words: readonly (string | Uint8Array)[]): Promise<RespValue> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new ConnectionLost('the connection is closed'));
      if (this.#exchanges.push({ resolve, reject }) === 1) this.#await();
      this.#socket.cork();
      for (const piece of encodeRequest(words)) this.#socket.write(piece);
      this.#socket.uncork();
    });
  }

  close(): void {
    this.#end(new ConnectionLost('the connection is closed'));
  }

  #await(): void {
    this.#socket.ref();
    this.#deadline = setTimeout(
      () => this.#end(new Failure('timeout', `no whole reply within ${this.#timeout} ms`)),
      this.#timeout,
    );
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (const reply of this.#reader.read(chunk)) this.#answer(reply);
    } catch (error) {
      this.#end(error as Failure);
    }
  }

  #answer(reply: RespValue): void {
    const exchange = this.#exchanges.shift();
    if (exchange === undefined) throw new Failure('corrupt', 'a reply came that nobody asked for');
    exchange.resolve(reply);
    if (this.#exchanges.length > 0) this.#deadline?.refresh();
    else {
      clearTimeout(this.#deadline);
      this.#socket.unref();
    }
  }

  /** The request whose reply was due gets the reason; those behind it only lost their connection. */
  #end(reason: ConnectionLost | Failure): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#deadline);
    this.#socket.destroy();
    this.onEnd();
    const [due, ...behind] = this.#exchanges.splice(0);
    due?.reject(reason);
    for (const { reject } of behind)
      reject(new ConnectionLost('the connection ended with a request before this', { cause: reason }));
  }
}
