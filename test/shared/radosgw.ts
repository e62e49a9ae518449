import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../src/base/exec.ts';
import { httpSend } from '../../src/base/http.ts';
import { skeletonTree } from '../../src/image/skeleton.ts';
import { Apt } from '../../src/package/deb/apt.ts';
import { readHostArchive, sourcesFor } from '../../src/package/deb/apt-sources.ts';
import { downloadPackages } from '../../src/package/deb/download.ts';
import { packageTree } from '../../src/package/deb/package-tree.ts';
import { packagesTree } from '../../src/package/deb/packages-tree.ts';
import { Depot } from '../../src/tree/depot.ts';
import { writeTreeToDirectory } from '../../src/tree/to-directory.ts';
import { repository } from './commands.ts';

/** Who may use the server. */
export interface RadosgwUser {
  readonly name: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface Radosgw {
  readonly port: number;
  stop(): Promise<void>;
}

const suite = 'trixie';

/** What only the other programs of these packages and their maintainer scripts need. */
const unused = [
  ...['python3', 'python3-minimal', 'python3-ceph-argparse', 'python3-ceph-common', 'python3-cephfs'],
  ...['python3-prettytable', 'python3-rados', 'python3-rbd', 'python3-requests'],
  ...['libcephfs2', 'libradosstriper1', 'librbd1', 'libreadline8t64', 'libncurses6', 'libbabeltrace1'],
  ...['adduser', 'passwd', 'debconf', 'ca-certificates', 'openssl', 'tzdata', 'netbase', 'media-types'],
];

const nobody = 65_534;
const data = '/var/lib/radosgw';

/**
 * Starts Ceph's S3 server with its SQLite back end, which needs no cluster, on loopback: the packages of Debian trixie,
 * resolved and unpacked by zosbuilder itself into an empty directory, as a change root. Downloads are kept in the state of
 * the repository, so that only the first run needs the network.
 */
export async function startRadosgw(directory: string, users: readonly RadosgwUser[]): Promise<Radosgw> {
  const root = join(directory, 'root');
  await layRoot(root);
  const port = await freePort();
  await mkdir(join(root, data), { recursive: true });
  await mkdir(join(root, 'etc/ceph'), { recursive: true });
  await writeFile(join(root, 'etc/ceph/ceph.conf'), configuration(port));
  await chown(join(root, data), nobody, nobody);
  for (const { name, accessKey, secretKey } of users)
    await run('chroot', [
      ...inside(root, 'radosgw-admin', 'user', 'create', `--uid=${name}`, `--display-name=${name}`),
      ...[`--access-key=${accessKey}`, `--secret-key=${secretKey}`],
    ]);
  const server = spawn('chroot', inside(root, 'radosgw', '--foreground'), { stdio: 'ignore' });
  const stop = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGKILL'); // it has nothing to lose
    await once(server, 'exit');
  };
  await answering(server, port).catch(async (error: unknown) => {
    await stop();
    throw new Error(`radosgw does not start:\n${await readFile(join(root, data, 'log'), 'utf8')}`, {
      cause: error,
    });
  });
  return { port, stop };
}

async function layRoot(root: string): Promise<void> {
  const cache = join(repository, '.zosbuilder/cache');
  const depot = new Depot(join(repository, '.zosbuilder/depot'));
  const sources = sourcesFor(await readHostArchive(), { suite, components: ['main'] });
  const apt = await Apt.open({ directory: join(cache, 'apt'), sources, architecture: 'amd64' });
  const lock = await apt.resolve({ packages: ['radosgw', 'ceph-common'], exclude: unused });
  await downloadPackages(apt, lock, cache);
  const { tree } = await packagesTree(lock, skeletonTree('amd64'), (entry) =>
    packageTree(entry, cache, depot),
  );
  await writeTreeToDirectory(tree, root);
}

function inside(root: string, ...command: string[]): string[] {
  return [`--userspec=${nobody}:${nobody}`, root, ...command, '--no-mon-config'];
}

const configuration = (port: number) => `[global]
rgw_backend_store = dbstore
rgw_config_store = dbstore
dbstore_db_dir = ${data}
dbstore_config_uri = file:${data}/config.db
rgw_data = ${data}
run_dir = ${data}
log_file = ${data}/log
admin_socket =
rgw_frontends = beast endpoint=127.0.0.1:${port}
rgw_dns_name = s3.test
`;

/** A port that nobody listens on; radosgw cannot say which one the system would give it. */
async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answering(server: ChildProcess, port: number): Promise<void> {
  for (;;) {
    if (server.exitCode !== null || server.signalCode !== null) throw new Error('it ended');
    try {
      return (await httpSend(new URL(`http://127.0.0.1:${port}/`))).discard();
    } catch {
      await sleep(50);
    }
  }
}
