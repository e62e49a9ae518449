import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { run } from '../base/exec.ts';
import { overlay } from '../tree/overlay.ts';
import { writeTreeToDirectory } from '../tree/to-directory.ts';
import { chainTo, closureOf } from './closure.ts';
import { cloudKernel } from './cloud-kernel.fixture.ts';
import { depmod } from './depmod.ts';
import { ModuleIndex } from './module-index.ts';
import { parseModulesConf } from './modules-conf.ts';

const index = new ModuleIndex({
  dependencies: [
    'kernel/drivers/net/virtio_net.ko: kernel/net/net-failover.ko kernel/net/failover.ko.xz',
    'kernel/net/net-failover.ko: kernel/net/failover.ko.xz',
    'kernel/net/failover.ko.xz:',
    'kernel/drivers/net/r8169.ko: kernel/drivers/net/libphy.ko',
    'kernel/drivers/net/libphy.ko:',
    'kernel/drivers/net/realtek.ko: kernel/drivers/net/libphy.ko',
    'kernel/fs/ext4.ko:',
    'kernel/crypto/crc32c-generic.ko:',
    'kernel/crypto/crc32c-intel.ko:',
    'kernel/drivers/ipmi_msghandler.ko:',
    'kernel/drivers/ipmi_devintf.ko: kernel/drivers/ipmi_msghandler.ko',
    'kernel/net/lan78xx.ko:',
  ].join('\n'),
  softdeps: [
    '# Soft dependencies extracted from modules themselves.',
    'softdep r8169 pre: realtek',
    'softdep ext4 pre: crypto-crc32c missing_one',
    'softdep ext4 nothing_without_pre',
    'softdep ipmi_msghandler post: ipmi-devintf',
  ].join('\n'),
  weakdeps: 'weakdep lan78xx realtek not_there',
  aliases: [
    'alias crypto-crc32c crc32c_generic',
    'alias crypto-crc32c crc32c_intel',
    'alias pci:v000010ECd00008168sv*sd*bc*sc*i* r8169',
  ].join('\n'),
  builtin: 'kernel/net/packet/af_packet.ko\nkernel/lib/crc-x.ko',
  builtinModinfo: 'af_packet.alias=net-pf-17\0loop.firmware=loop.bin\0',
});

const closure = (conf: string) => closureOf(parseModulesConf(conf, 'modules.conf'), index);
const loading = (conf: string) => closure(conf).modules.map(({ name }) => name);

describe('a closure', () => {
  test('brings dependencies through all levels, in load order, in either spelling', () => {
    expect(loading('stage1:virtio-net')).toEqual(['failover', 'net_failover', 'virtio_net']);
    expect(closure('stage1:virtio_net').modules.map(({ path }) => path)[0]).toBe('kernel/net/failover.ko.xz');
  });

  test('brings soft dependencies before and after, by alias too, and passes over those that are not there', () => {
    expect(loading('stage1:r8169')).toEqual(['libphy', 'realtek', 'r8169']);
    expect(loading('stage2:ipmi_msghandler')).toEqual(['ipmi_msghandler', 'ipmi_devintf']);
    const { modules, unresolved } = closure('stage2:ext4');
    expect(modules.map(({ name }) => name)).toEqual(['crc32c_generic', 'crc32c_intel', 'ext4']);
    expect(modules[0]!.reasons).toEqual([{ kind: 'softdep pre', of: 'ext4', alias: 'crypto-crc32c' }]);
    expect(unresolved).toEqual([{ name: 'missing_one', kind: 'softdep pre', of: 'ext4' }]);
  });

  test('brings weak dependencies', () => {
    expect(loading('stage2:lan78xx').sort()).toEqual(['lan78xx', 'libphy', 'realtek']);
    expect(closure('stage2:lan78xx').unresolved).toEqual([
      { name: 'not_there', kind: 'weakdep', of: 'lan78xx' },
    ]);
  });

  test('knows what is built in, by name and by alias', () => {
    const { modules, builtins } = closure('stage1:af-packet\nstage1:net-pf-17\nstage2:crc-x');
    expect(modules).toEqual([]);
    expect(builtins.map(({ name, reasons }) => [name, reasons.length])).toEqual([
      ['af_packet', 2],
      ['crc_x', 1],
    ]);
    expect(index.builtinFirmware).toEqual([{ module: 'loop', firmware: 'loop.bin' }]);
  });

  test('takes a device alias for the modules that match it', () => {
    expect(loading('stage2:pci:v000010ECd00008168sv00001043sd000085C8bc02sc00i00')).toContain('r8169');
  });

  test('puts what stage1 needs into stage1, before all of stage2', () => {
    const { modules } = closure('stage2:realtek\nstage2:ext4\nstage1:r8169');
    expect(modules.map(({ name, stage }) => `${stage} ${name}`).slice(0, 3)).toEqual([
      'stage1 libphy',
      'stage1 realtek',
      'stage1 r8169',
    ]);
    expect(modules[1]!.reasons.map(({ kind }) => kind)).toEqual(['softdep pre', 'wanted']);
  });

  test('refuses unknown modules, all at once, with their lines and what was meant', () => {
    expect(() => closure('stage1:virtio_nt\n\nstage2:quantum')).toThrow(
      expect.objectContaining({
        kind: 'config',
        message:
          'modules.conf:1: this kernel has no module virtio_nt; did you mean virtio_net?\n' +
          'modules.conf:3: this kernel has no module quantum',
      }),
    );
  });

  test('explains each module by the shortest chain from a line', () => {
    const chain = chainTo(closure('stage1:virtio_net\nstage2:ext4'), 'failover');
    expect(chain?.map(({ name, reason }) => `${reason.kind} ${name}`)).toEqual([
      'wanted virtio_net',
      'depends net_failover',
      'depends failover',
    ]);
    expect(chain![0]!.reason).toMatchObject({ by: { place: { line: 1 } } });
    expect(chainTo(closure('stage2:ext4'), 'failover')).toBeUndefined();
    expect(chainTo(closure('stage1:af_packet'), 'af-packet')).toHaveLength(1);
  });

  test('always loads a module after all that it depends on, whatever circles its soft dependencies make', () => {
    // Module n depends on some of those before it; soft dependencies go anywhere.
    const someOf = fc.array(fc.nat({ max: 11 }), { maxLength: 4 });
    const module = fc.record({ needs: someOf, pre: someOf, post: someOf });
    fc.assert(
      fc.property(
        fc.array(module, { minLength: 1, maxLength: 12 }),
        fc.nat({ max: 11 }),
        (modules, start) => {
          const needed: Set<number>[] = [];
          for (const [at, { needs }] of modules.entries()) {
            const direct = needs.filter((other) => other < at);
            needed.push(new Set(direct.flatMap((other) => [other, ...needed[other]!])));
          }
          // modules.dep lists the nearest first; here a higher number always is nearer.
          const listed = needed.map((set) => [...set].sort((a, b) => b - a));
          const random = new ModuleIndex({
            dependencies: listed
              .map((list, at) => `m${at}.ko:${list.map((other) => ` m${other}.ko`).join('')}`)
              .join('\n'),
            softdeps: modules
              .map(({ pre, post }, at) => `softdep m${at} pre: ${words(pre)} post: ${words(post)}`)
              .join('\n'),
          });
          const wanted = parseModulesConf(`stage1:m${start % modules.length}`);
          const order = closureOf(wanted, random).modules.map(({ name }) => Number(name.slice(1)));
          expect(new Set(order).size).toBe(order.length);
          for (const [place, at] of order.entries())
            for (const other of needed[at]!) expect(order.slice(0, place)).toContain(other);
        },
      ),
    );
  });

  test('has for real modules everything that modprobe would load', async () => {
    const { modules, kernel } = await cloudKernel();
    const tree = overlay(modules, await depmod(modules));
    const real = await ModuleIndex.read(tree);
    const root = await mkdtemp(join(tmpdir(), 'closure-'));
    try {
      const texts = tree.select((path) => path.startsWith('modules.'));
      await writeTreeToDirectory(texts.under(`lib/modules/${kernel.release}`), root);
      const sample = [...real.names].filter((_, at) => at % 25 === 0).concat('btrfs', 'virtio_net', 'cifs');
      for (const name of sample) {
        const args = ['-d', root, '-S', kernel.release, '--show-depends', name];
        const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
        const { stdout } = await run('modprobe', args, { env, package: 'kmod' });
        const expected = [...stdout.toString().matchAll(/^insmod \S*\/([^/.]+)\.ko/gm)];
        const own = closureOf(parseModulesConf(`stage1:${name}`), real).modules.map((module) => module.name);
        expect(expected.length, name).toBeGreaterThan(0);
        expect(own, name).toEqual(
          expect.arrayContaining(expected.map((match) => match[1]!.replaceAll('-', '_'))),
        );
      }
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  }, 300_000);
});

function words(numbers: readonly number[]): string {
  return numbers.map((number) => `m${number}`).join(' ');
}

describe('a module index', () => {
  test('refuses a modules.dep that does not list what it names', () => {
    expect(() => new ModuleIndex({ dependencies: 'a.ko: b.ko' })).toThrow('modules.dep says that a needs b');
    expect(() => new ModuleIndex({ dependencies: 'nothing here' })).toThrow('a line without a module');
  });
});
