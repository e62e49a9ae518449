import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { run } from '../../base/exec.ts';

export interface DockerRegistry extends AsyncDisposable {
  /** Its address on loopback. */
  readonly host: string;
}

export interface DockerRegistryOptions {
  /** Who may use it; anybody by default. */
  readonly user?: { readonly name: string; readonly password: string };
  /** The files of its certificate and key; without them it speaks no TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** Debian's docker-registry on a free port, with its files in a directory of its own. */
export async function startDockerRegistry({
  user,
  tls,
}: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const directory = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-registry-'));
  const at = (name: string) => join(directory.path, name);
  if (user)
    await run('htpasswd', ['-i', '-B', '-C', '4', '-c', at('htpasswd'), user.name], {
      input: user.password,
      package: 'apache2-utils',
    });
  const config = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: at('data') } },
    http: { addr: '127.0.0.1:0', ...(tls && { tls }) },
    ...(user && { auth: { htpasswd: { realm: 'test', path: at('htpasswd') } } }),
  };
  await writeFile(at('config.yml'), JSON.stringify(config));
  const child = spawn('docker-registry', ['serve', at('config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const stop = async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await directory.remove();
  };
  const host = await addressIn(child.stderr);
  if (host === undefined) {
    await stop();
    throw new Error('docker-registry ended before it listened');
  }
  child.stderr.resume();
  return { host, [Symbol.asyncDispose]: stop };
}

async function addressIn(log: Readable): Promise<string | undefined> {
  for await (const line of createInterface(log)) {
    const host = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (host !== undefined) return host;
  }
  return undefined;
}
