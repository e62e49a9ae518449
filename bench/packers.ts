import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../src/base/errors.ts';
import { run } from '../src/base/exec.ts';

const root = join(import.meta.dirname, '..');
export const rfs = join(root, 'rfs');

/** A program that packs a directory. All that it writes lies in the directory `to`, which is there. */
export interface Packer {
  readonly name: string;
  /** The Debian package that brings it; without one it is ours. */
  readonly package?: string;
  /** Makes a store that has nothing in it. */
  readonly prepare?: (to: string) => Promise<unknown>;
  /** @param nth how many packs into the same store were before this one */
  readonly pack: (tree: string, to: string, nth?: number) => Promise<unknown>;
}

/** Borg without encryption, which it is fastest without; what it remembers of files lies beside the repository. */
const borg = (to: string, ...args: string[]) =>
  run('borg', args, {
    env: {
      ...process.env,
      BORG_BASE_DIR: to,
      BORG_REPO: join(to, 'repository'),
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
    },
  });

const restic = (to: string, ...args: string[]) =>
  run('restic', ['--quiet', '--repo', join(to, 'repository'), '--cache-dir', join(to, 'cache'), ...args], {
    env: { ...process.env, RESTIC_PASSWORD: 'benchmark' },
  });

export const rfsPack: Packer = {
  name: 'rfs pack',
  pack: (tree, to) => run(rfs, ['pack', '-q', '-m', join(to, 'tree.fl'), '-s', `dir://${to}/blocks`, tree]),
};

export const borgCreate: Packer = {
  name: 'borg create -C lz4',
  package: 'borgbackup',
  prepare: (to) => borg(to, 'init', '--encryption', 'none'),
  pack: (tree, to, nth = 0) => borg(to, 'create', '--compression', 'lz4', `::${nth}`, tree),
};

export const resticBackup: Packer = {
  name: 'restic backup',
  package: 'restic',
  prepare: (to) => restic(to, 'init'),
  pack: (tree, to) => restic(to, 'backup', tree),
};

export const mksquashfs: Packer = {
  name: 'mksquashfs -comp lz4',
  package: 'squashfs-tools',
  pack: (tree, to) =>
    run('mksquashfs', [tree, join(to, 'tree.squashfs'), '-comp', 'lz4', '-quiet', '-no-progress']),
};

/** What else Debian has to make an image or a store of a directory. */
export const otherPackers: readonly Packer[] = [
  {
    name: 'mkfs.erofs -zlz4',
    package: 'erofs-utils',
    pack: (tree, to) => run('mkfs.erofs', ['--quiet', '-zlz4', join(to, 'tree.erofs'), tree]),
  },
  mksquashfs,
  borgCreate,
  resticBackup,
  {
    name: 'casync make',
    package: 'casync',
    prepare: (to) => mkdir(join(to, 'chunks')),
    pack: (tree, to) => run('casync', ['make', `--store=${to}/chunks`, join(to, 'tree.caidx'), tree]),
  },
];

/** Which of some packers this machine can run, and what the page says of them. */
export interface Presence {
  readonly present: readonly Packer[];
  /** Versions as Debian counts them, and what could not be had. */
  readonly remark: string;
}

/** Installs what is missing of the Debian packages of the group `bench`, where that is possible. */
export async function installed(packers: readonly Packer[], say: (text: string) => void): Promise<Presence> {
  await run(join(root, 'tools/with-node24'), ['true'], {
    env: { ...process.env, ZOSBUILDER_APT: 'bench' },
  }).catch((error: unknown) =>
    say(error instanceof Failure ? `${error.message}: ${error.cause}` : `${error}`),
  );
  const [present, versions, missing]: [Packer[], string[], string[]] = [[], [], []];
  for (const packer of packers) {
    const version = packer.package === undefined ? '' : await packageVersion(packer.package);
    if (version === undefined) missing.push(packer.name);
    else present.push(packer);
    if (version) versions.push(`${packer.package} ${version}`);
  }
  const remark = [`Debian's ${versions.join(', ')}.`];
  for (const name of missing) remark.push(`\`${name}\` could not be installed here.`);
  return { present, remark: remark.join(' ') };
}

async function packageVersion(name: string): Promise<string | undefined> {
  const { stdout } = await run('dpkg-query', ['-W', '-f', `\${db:Status-Status} \${Version}`, name], {
    accept: [1],
  });
  return /^installed (.+)$/.exec(stdout.toString())?.[1];
}
