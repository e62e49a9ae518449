import { type AddressInfo, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { RespError, RespReader, type RespValue } from './resp.ts';
import { encodeReply } from './resp-encode.fixture.ts';

/** A namespace as NSNEW and NSSET make it. */
export interface StubNamespace {
  readonly password?: string;
  /** Whether a namespace with a password may be read without it. */
  readonly public?: boolean;
}

export interface StubRequest {
  readonly command: string;
  readonly words: readonly Buffer[];
  readonly socket: Socket;
  /** Counts from 1. */
  readonly connection: number;
  /** What a 0-db answers. */
  readonly reply: Buffer;
}

export interface StubOptions {
  readonly namespaces?: Readonly<Record<string, StubNamespace>>;
  /** Sends the answer, in whatever way; whole and at once when left out. */
  readonly respond?: (request: StubRequest) => void;
  /** Where to listen; a port of loopback when left out. */
  readonly path?: string;
}

export interface ZdbStub {
  /** `zdb://HOST:PORT` */
  readonly url: string;
  /** The commands so far. */
  readonly commands: string[];
  /** Connections so far. */
  readonly connections: () => number;
  /** Closes every connection; new ones are taken. */
  readonly disconnect: () => Promise<void>;
}

interface Namespace extends StubNamespace {
  /** By key in hex, in the order in which they were set. */
  readonly blobs: Map<string, Buffer>;
}

interface Session {
  namespace: Namespace;
  writable: boolean;
}

const keysOfAScan = 2;
const refused = (text: string) => new RespError(text);

/** A 0-db in user-key mode, with the words of the true one (zdbd/commands_*.c), that ends with the running test. */
export async function serveZdb({ namespaces = {}, respond, path }: StubOptions = {}): Promise<ZdbStub> {
  const held = new Map<string, Namespace>();
  for (const [name, namespace] of Object.entries({ default: {}, ...namespaces }))
    held.set(name, { ...namespace, blobs: new Map() });
  const send = respond ?? (({ socket, reply }: StubRequest) => socket.write(reply));
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    const connection = ++connections;
    const session: Session = { namespace: held.get('default')!, writable: true };
    const reader = new RespReader({ bulk: 8 << 20, reply: 16 << 20, values: 8 });
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.on('data', (chunk) => {
      for (const request of reader.read(chunk)) {
        const words = request as readonly Buffer[];
        const command = words[0]!.toString();
        commands.push(command);
        const reply = encodeReply(answer(command, words.slice(1), session, held));
        send({ command, words, socket, connection, reply });
      }
    });
  });
  const disconnect = async () => {
    await Promise.all(
      [...sockets].map((socket) => new Promise((resolve) => socket.on('close', resolve).destroy())),
    );
  };
  const listening = path === undefined ? { port: 0, host: '127.0.0.1' } : { path };
  await new Promise<void>((resolve) => server.listen(listening, resolve));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    await disconnect();
    await closed;
  });
  const url = path === undefined ? `127.0.0.1:${(server.address() as AddressInfo).port}` : path;
  return { url: `zdb://${url}`, commands, connections: () => connections, disconnect };
}

function answer(
  command: string,
  [first, second]: readonly Buffer[],
  session: Session,
  namespaces: ReadonlyMap<string, Namespace>,
): RespValue {
  const { blobs } = session.namespace;
  const key = first?.toString('hex') ?? '';
  const isWriting = command === 'SET' || command === 'DEL';
  if (isWriting && !session.writable) return refused('Namespace is in read-only mode');
  switch (command) {
    case 'SELECT':
      return select(session, namespaces.get(first!.toString()), second?.toString());
    case 'GET':
      return blobs.get(key) ?? null;
    case 'EXISTS':
      return blobs.has(key) ? 1n : 0n;
    case 'SET': {
      if (blobs.get(key)?.equals(second!)) return null;
      blobs.set(key, second!);
      return first!;
    }
    case 'DEL':
      return blobs.delete(key) ? 'OK' : refused('Key not found');
    case 'SCAN':
      return scan([...blobs], first);
    default:
      return refused('Command not supported');
  }
}

function select(session: Session, namespace: Namespace | undefined, password?: string): RespValue {
  if (namespace === undefined) return refused('Namespace not found');
  const isLocked = namespace.password !== undefined;
  if (isLocked && password === undefined && !namespace.public)
    return refused('Namespace protected and private');
  if (isLocked && password !== undefined && password !== namespace.password) return refused('Access denied');
  session.namespace = namespace;
  session.writable = !isLocked || password !== undefined;
  return 'OK';
}

/** The cursor is how many keys were given. */
function scan(blobs: readonly (readonly [string, Buffer])[], cursor: Buffer | undefined): RespValue {
  if (cursor !== undefined && cursor.length !== 16) return refused('Invalid key format');
  const from = cursor?.readUInt32LE() ?? 0;
  const page = blobs.slice(from, from + keysOfAScan);
  if (page.length === 0) return refused('No more data');
  const next = Buffer.alloc(16);
  next.writeUInt32LE(from + page.length);
  return [
    next,
    page.map(([key, blob]) => [Buffer.from(key, 'hex'), BigInt(blob.length), 1_700_000_000n] as RespValue[]),
  ];
}
