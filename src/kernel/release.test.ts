import { beforeAll, describe, expect, test } from 'vitest';
import { bytesContent } from '../tree/content.ts';
import { type FileEntry, Tree } from '../tree/tree.ts';
import { bytesSource } from './byte-source.ts';
import { type CloudKernel, cloudKernel } from './cloud-kernel.fixture.ts';
import { isModulePath } from './module-name.ts';
import { bzImageRelease, findKernel } from './release.ts';

let cloud: CloudKernel;
let boot: Tree;
let oneModule: FileEntry;

beforeAll(async () => {
  cloud = await cloudKernel();
  boot = cloud.tree.select((path) => path.startsWith('boot/'));
  const path = [...cloud.modules.paths()].find(isModulePath)!;
  oneModule = cloud.modules.file(path)!;
}, 300_000);

/** The kernel's boot files with one of its modules in the modules directories of these releases. */
function kernelTree(parent: string, ...releases: string[]): Tree {
  return Tree.from([
    ...boot,
    ...releases.map((release) => [`${parent}/${release}/kernel/x.ko`, oneModule] as const),
  ]);
}

describe('the kernel of a package', () => {
  test('is found with its files under one release', async () => {
    const { release, ...files } = await findKernel(cloud.tree);
    expect(release).toMatch(/^\d+\.\d+\.\d+-.*cloud-amd64$/);
    expect(files).toEqual({
      modulesDirectory: `lib/modules/${release}`,
      vmlinuz: `boot/vmlinuz-${release}`,
      config: `boot/config-${release}`,
      systemMap: `boot/System.map-${release}`,
    });
  });

  test('may have its modules below usr/lib', async () => {
    const { release } = cloud.kernel;
    const { modulesDirectory } = await findKernel(kernelTree('usr/lib/modules', release));
    expect(modulesDirectory).toBe(`usr/lib/modules/${release}`);
  });

  test('must be one', async () => {
    const { release } = cloud.kernel;
    await expect(findKernel(boot)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(findKernel(kernelTree('lib/modules', release, '6.0.0'))).rejects.toMatchObject({
      kind: 'conflict',
      message: `there are several kernels: lib/modules/6.0.0, lib/modules/${release}`,
    });
  });

  test('must not mix builds', async () => {
    const { release } = cloud.kernel;
    await expect(findKernel(kernelTree('lib/modules', '6.0.0'))).rejects.toThrow(
      `lib/modules/6.0.0/kernel/x.ko was built for kernel ${release}, not 6.0.0`,
    );
    const image = Buffer.from(await boot.file(`boot/vmlinuz-${release}`)!.content.read());
    const version = image.readUInt16LE(0x20e) + 0x200;
    image.write('5.10.0-other ', version);
    const tree = Tree.from([
      ...kernelTree('lib/modules', release),
      [`boot/vmlinuz-${release}`, { ...oneModule, content: bytesContent(image) }],
    ]);
    await expect(findKernel(tree)).rejects.toMatchObject({
      kind: 'conflict',
      message: `modules are for ${release}, but boot/vmlinuz-${release} is 5.10.0-other`,
    });
  });

  test('must be a kernel image', () => {
    const image = (bytes: Buffer) => () => bzImageRelease(bytesSource(bytes, 'boot/vmlinuz'));
    expect(image(Buffer.from('MZ'))).toThrow('boot/vmlinuz is not an x86 kernel image: no boot header');
    const header = Buffer.alloc(0x300);
    header.write('HdrS', 0x202);
    expect(image(header)).toThrow('no version string');
    header.writeUInt16LE(0xf000, 0x20e);
    expect(image(header)).toThrow('no version string');
    header.writeUInt16LE(0x10, 0x20e);
    expect(image(header)).toThrow('an empty version string');
  });
});
