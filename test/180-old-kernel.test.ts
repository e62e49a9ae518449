import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { beforeAll, expect, test } from 'vitest';
import { sha256 } from '../src/base/digest.ts';
import { run } from '../src/base/exec.ts';
import { qemuCommand } from '../src/boot/machine.ts';
import { treeFromDirectory } from '../src/tree/from-directory.ts';
import { cpioOf } from '../src/tree/to-cpio.ts';
import { printed, repository, rfs } from './shared/commands.ts';
import { type BuiltProject, builtProject, measured, temporary } from './shared/projects.ts';

let built: BuiltProject;
beforeAll(async () => {
  built = await builtProject();
});

/** What rfs runs with on a machine that has no koffi; paths in the repository. */
async function sourcesOfRfs(): Promise<string[]> {
  const lock = JSON.parse(await readFile(join(repository, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dev?: true; readonly optional?: true }>>;
  };
  const packages = Object.entries(lock.packages).filter(([, { dev, optional }]) => !dev && !optional);
  return ['src', 'package.json', ...packages.map(([path]) => path).filter((path) => /./.test(path))];
}

/** Packs random files into `t.fl` and `blocks`, and writes what they hash to into `sums`. */
async function packFiles(source: string, target: string): Promise<void> {
  await mkdir(source);
  const sizes = [1_500_000, 1_500_000, 600_000, ...Array(30).fill(20)];
  const sums: string[] = [];
  for (const [i, size] of sizes.entries()) {
    const content = randomBytes(size);
    await writeFile(join(source, `${i}`), content);
    sums.push(`${sha256(content)}  ${i}\n`);
  }
  await writeFile(join(target, 'sums'), sums.join(''));
  printed(await rfs(['pack', '-q', '-m', join(target, 't.fl'), '-s', `dir://${target}/blocks`, source]));
}

/** The image's initramfs with a directory `/guest` more: the kernel unpacks one archive after the other. */
async function initramfsWithGuest(): Promise<string> {
  const directory = await temporary('old-kernel');
  const guest = join(directory, 'tree/guest');
  await mkdir(guest, { recursive: true });
  for (const path of await sourcesOfRfs())
    await cp(join(repository, path), join(guest, path), {
      recursive: true,
      filter: (source) => !/\.test\.ts$|\/esbuild$/.test(source),
    });
  await packFiles(join(directory, 'source'), guest);
  await writeFile(join(guest, 'init'), await readFile(join(import.meta.dirname, 'shared/old-kernel.sh')), {
    mode: 0o755,
  });
  const initramfs = join(directory, 'initramfs');
  const image = await readFile(join(built.dist, 'initramfs.cpio.zst'));
  // The kernel passes over zeros between archives, and looks for the next one at a multiple of four.
  await writeFile(initramfs, Buffer.concat([image, Buffer.alloc(-image.length & 3)]));
  const archive = Readable.from(cpioOf(await treeFromDirectory(join(directory, 'tree'))));
  await pipeline(archive, createWriteStream(initramfs, { flags: 'a' }));
  return initramfs;
}

test('on Linux 6.1, without koffi and sysfs, readers get what was packed, and no error when servers are killed', async () => {
  const command = qemuCommand({
    kernel: join(built.dist, 'vmlinuz'),
    initramfs: await initramfsWithGuest(),
    accelerator: 'tcg',
    memoryMiB: 2560,
    commandLine: ['rdinit=/guest/init'],
  });
  const serial = join(await temporary('console'), 'serial');
  const guest = ['setpriv', '--pdeathsig', 'KILL', '--', ...command];
  await measured('mount on Linux 6.1', () =>
    run('sh', ['-c', 'exec >"$0"; exec "$@"', serial, ...guest], { timeout: 240_000 }),
  ).catch(() => {}); // the console tells more
  const told = await readFile(serial, 'utf8');
  const said = told.match(/(?<=guest: ).*?(?=\r?\n)/g);
  expect(said, told.slice(-4000)).toEqual([
    expect.stringMatching(/^kernel 6\.1\./),
    'another server',
    'another server',
    'readers ended',
    'all right',
    'unmounted',
    'end',
  ]);
});
