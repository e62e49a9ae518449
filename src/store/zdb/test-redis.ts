import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { testDirectory } from '../test-directory.ts';

/**
 * Starts a Redis that keeps nothing and ends with the running test; gives the path of its Unix socket. Debian's Redis is one
 * program that goes by the name it is called by; under the name of the checker it comes without a service that starts on its own.
 */
export async function startRedis(settings: readonly string[] = []): Promise<string> {
  const directory = await testDirectory();
  const path = join(directory, 'redis.sock');
  const server = spawn('redis-check-rdb', ['-'], {
    argv0: 'redis-server',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(server, 'exit');
  onTestFinished(async () => {
    server.kill('SIGKILL');
    await ended;
  });
  const lines = [`dir ${directory}`, 'port 0', `unixsocket ${path}`, 'save ""', 'appendonly no', ...settings];
  server.stdin.end(lines.map((line) => `${line}\n`).join(''));
  const output: string[] = [];
  for await (const line of createInterface({ input: server.stdout })) {
    output.push(line);
    if (/ready to accept connections/i.test(line)) {
      server.stdout.resume();
      return path;
    }
  }
  throw new Error(`redis-server did not start:\n${output.join('\n')}`);
}
