import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AcceleratorChoice, chooseAccelerator } from './accelerator.ts';
import { fakeQemu, temporaryDirectory } from './fake-qemu.fixture.ts';

const works = 'echo zos: reached init; exec sleep 1000';
const failsInside = `echo 'KVM internal error. Suberror: 1' >&2; echo 'emulation failure' >&2; exec sleep 1000`;

/** A machine with a `/dev/kvm` (a plain file) and a QEMU that counts its boots and behaves as `body` says. */
function host(body: string) {
  const directory = temporaryDirectory();
  const kernel = join(directory, 'vmlinuz');
  const device = join(directory, 'kvm');
  for (const file of [kernel, device]) writeFileSync(file, '');
  const use = (next: string) => fakeQemu(directory, `: >${directory}/boot.$$\n${next}`);
  const choose = (choice: AcceleratorChoice, options: { device?: string } = {}) =>
    chooseAccelerator(choice, {
      machine: { kernel, initramfs: kernel },
      program: join(directory, 'fake-qemu'),
      qemuVersion: '7.2.22',
      stateDirectory: join(directory, 'state'),
      log: join(directory, 'probe.log'),
      device,
      ...options,
    });
  use(body);
  return {
    directory,
    kernel,
    use,
    choose,
    boots: () => readdirSync(directory).filter((name) => name.startsWith('boot.')).length,
  };
}

describe('the accelerator', () => {
  it('is TCG when that is asked for, without a look at KVM', async () => {
    const { choose, boots } = host(works);
    expect(await choose('tcg')).toMatchObject({ accelerator: 'tcg' });
    expect(boots()).toBe(0);
  });

  it('is TCG where there is no KVM device', async () => {
    const { choose, boots } = host(works);
    expect(await choose('auto', { device: '/nonexistent/kvm' })).toMatchObject({ accelerator: 'tcg' });
    expect(boots()).toBe(0);
  });

  it('is KVM once a probe boot has reached init, which is remembered', async () => {
    const { choose, boots } = host(works);
    expect(await choose('auto')).toMatchObject({ accelerator: 'kvm' });
    expect(await choose('auto')).toMatchObject({ accelerator: 'kvm' });
    expect(await choose('kvm')).toMatchObject({ accelerator: 'kvm' });
    expect(boots()).toBe(1);
  });

  it('is TCG where KVM answers and then fails, and says what happened', async () => {
    const { choose, boots, directory } = host(failsInside);
    expect(await choose('auto')).toEqual({
      accelerator: 'tcg',
      reason: 'a probe boot with KVM failed: KVM internal error. Suberror: 1',
    });
    expect(await choose('auto')).toMatchObject({ accelerator: 'tcg' });
    expect(boots()).toBe(1);
    expect(readFileSync(join(directory, 'probe.log'), 'utf8')).toContain('-accel kvm');
  });

  it('is tried again when a user insists, or the kernel is another', async () => {
    const { choose, boots, use, kernel } = host(failsInside);
    await choose('auto');
    use(works);
    expect(await choose('kvm')).toMatchObject({ accelerator: 'kvm' });
    expect(boots()).toBe(2);
    writeFileSync(kernel, 'another');
    await choose('auto');
    expect(boots()).toBe(3);
  });

  it('is probed anew when the memory is damaged', async () => {
    const { choose, boots, directory } = host(works);
    await choose('auto');
    writeFileSync(join(directory, 'state', 'kvm-probes.json'), '{"x": null, ');
    expect(await choose('auto')).toMatchObject({ accelerator: 'kvm' });
    expect(boots()).toBe(2);
  });

  it('is TCG where QEMU cannot even open KVM', async () => {
    const { choose } = host(`echo 'Could not access KVM kernel module' >&2; exit 1`);
    expect((await choose('auto')).reason).toContain('Could not access KVM kernel module');
  });
});
