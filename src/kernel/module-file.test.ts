import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { compress } from '../archive/compression.ts';
import { run } from '../base/exec.ts';
import { bytesContent } from '../tree/content.ts';
import { type CloudKernel, cloudKernel } from './cloud-kernel.fixture.ts';
import { readModinfo, readModuleFile } from './module-file.ts';
import { isModulePath } from './module-name.ts';

let kernel: CloudKernel;
let paths: string[];

beforeAll(async () => {
  kernel = await cloudKernel();
  paths = [...kernel.modules.paths()].filter(isModulePath);
}, 300_000);

const fieldNames = [
  'name',
  'alias',
  'depends',
  'softdep',
  'firmware',
  'license',
  'description',
  'author',
  'version',
  'vermagic',
];

/** All values of a field in several module files, as `modinfo` prints them. */
async function modinfo(field: string, sample: readonly string[]): Promise<string[]> {
  const files = sample.map((path) => join(kernel.directory, kernel.kernel.modulesDirectory, path));
  const { stdout } = await run('modinfo', ['-0', '-F', field, ...files], { package: 'kmod' });
  return stdout.toString().split('\0').slice(0, -1);
}

describe('a module file', () => {
  test('says of itself what modinfo reads from it', async () => {
    const sample = paths.filter((_, index) => index % 40 === 0);
    const infos = await Promise.all(
      sample.map((path) => readModinfo(kernel.modules.file(path)!.content, path)),
    );
    for (const field of fieldNames)
      expect(
        infos.flatMap(({ fields }) => fields.get(field) ?? []),
        field,
      ).toEqual(await modinfo(field, sample));
  });

  test('reads the same compressed, whatever its name says', async () => {
    const path = paths.find((candidate) => candidate.endsWith('/virtio_net.ko'))!;
    const { content } = kernel.modules.file(path)!;
    const plain = await readModuleFile(content, path);
    expect(plain.info.name).toBe('virtio_net');
    expect(plain.info.depends).toContain('net_failover');
    expect(plain.imports).toContain('net_failover_create');
    for (const format of ['gzip', 'xz', 'zstd'] as const) {
      const packed = bytesContent(await compress(await content.read(), format));
      expect(await readModuleFile(packed, path)).toEqual(plain);
    }
  });

  test('that is cut off, or is none, is named', async () => {
    const path = paths[0]!;
    const bytes = await kernel.modules.file(path)!.content.read();
    const cut = bytesContent(bytes.subarray(0, 5000));
    await expect(readModuleFile(cut, path)).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining(path),
    });
    await expect(readModuleFile(bytesContent(''), 'empty.ko')).rejects.toThrow('empty.ko is not an ELF file');
    await expect(readModuleFile(bytesContent('hello, world, how are you'), 'x.ko')).rejects.toThrow(
      'x.ko is not an ELF file',
    );
  });
});
