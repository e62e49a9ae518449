import { describe, expect, test } from 'vitest';
import { overlay } from '../tree/overlay.ts';
import { closureOf } from './closure.ts';
import { cloudKernel } from './cloud-kernel.fixture.ts';
import { depmod } from './depmod.ts';
import { ModuleIndex } from './module-index.ts';
import { isModulePath } from './module-name.ts';
import { parseModulesConf } from './modules-conf.ts';
import { reduceModules } from './reduce.ts';

describe('a reduced modules directory', () => {
  test('has the files of the closure under their names, and indexes that lead to them', async () => {
    const { modules } = await cloudKernel();
    const index = await ModuleIndex.read(overlay(modules, await depmod(modules)));
    const closure = closureOf(parseModulesConf('stage1:virtio-net\nstage1:overlay\nstage2:xfs'), index);

    const reduced = await reduceModules(modules, closure);

    const paths = [...reduced.tree.paths()];
    expect(paths.filter(isModulePath).sort()).toEqual(closure.modules.map(({ path }) => path).sort());
    expect(paths).toEqual(
      expect.arrayContaining(['modules.order', 'modules.builtin', 'modules.builtin.modinfo']),
    );
    expect(reduced.modules.map(({ name }) => name).sort()).toEqual(
      closure.modules.map(({ name }) => name).sort(),
    );
    const again = await ModuleIndex.read(reduced.tree);
    expect(again.resolve('virtio:d00000001v00001AF4')).toEqual({
      kind: 'modules',
      names: ['virtio_net'],
      isAlias: true,
    });
    expect(again.dependenciesOf('xfs')).toEqual(index.dependenciesOf('xfs'));
    expect(again.has('cifs')).toBe(false);
    expect(again.isBuiltin('af_packet')).toBe(index.isBuiltin('af_packet'));
  }, 300_000);
});
