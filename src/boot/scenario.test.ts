import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { NodeReport } from '../node/report.ts';
import { fakeQemu, temporaryDirectory } from './fake-qemu.fixture.ts';
import { type BootOptions, bootScenario } from './scenario.ts';
import { basic } from './scenarios/basic.ts';
import { flists } from './scenarios/flists.ts';

const file = { path: '/lib/firmware/e100/d102e_ucode.bin', sha256: 'ab'.repeat(32) };

/** A report of a node in which everything is as the scenario `flists` wants it. */
const good: NodeReport = {
  buildId: 'abc',
  release: '6.1.0-50-amd64',
  uptime: 9,
  units: [],
  flists: {
    modules: { state: 'mounted', manifest: 'modules-6.1.0-50-amd64.fl' },
    firmware: { state: 'mounted', manifest: 'firmware-1.fl' },
  },
  modules: ['e100', 'e1000e', 'snd_hda_intel'].map((name) => ({ name, origin: 'flist' })),
  devices: [
    { bus: 'pci', id: '8086:10d3', address: '0000:00:03.0', driver: 'e1000e', module: 'e1000e' },
    { bus: 'pci', id: '8086:1209', address: '0000:00:04.0', driver: 'e100', module: 'e100' },
    {
      bus: 'pci',
      id: '8086:2668',
      address: '0000:00:05.0',
      driver: 'snd_hda_intel',
      module: 'snd_hda_intel',
    },
    { bus: 'usb', id: '0627:0001', address: '1-1:1.0', driver: 'usbhid', module: 'usbhid' },
  ],
  networkInterfaces: [],
  missingFirmware: [],
  checks: [file],
};

/** A QEMU that shows the console of a node with a given report. */
function bootWithReport(report: NodeReport, directory: string): BootOptions {
  const named = flists.milestones.filter((milestone) => milestone !== 'kernel' && milestone !== 'ready');
  const lines = [
    '[    0.000000] Linux version 6.1.0-50-amd64',
    ...named.map((milestone) => `zos: reached ${milestone}`),
    `zos: report ${JSON.stringify(report)}`,
    `zos: reached ready build-id=${report.buildId}`,
  ];
  return options(directory, `cat <<'END'\n${lines.join('\n')}\nEND`);
}

function options(directory: string, body: string): BootOptions {
  return {
    kernel: '/vmlinuz',
    initramfs: '/initramfs',
    buildId: 'abc',
    logDirectory: join(directory, 'logs'),
    stateDirectory: join(directory, 'state'),
    program: fakeQemu(directory, body),
    flistsUrl: 'http://10.0.2.2:1234',
    files: [file],
  };
}

describe('the scenario flists', () => {
  it('is ready when drivers and firmware came out of the flists', async () => {
    const directory = temporaryDirectory();
    const verdict = await bootScenario(flists, bootWithReport(good, directory));
    expect(verdict).toMatchObject({
      outcome: 'ready',
      scenario: 'flists',
      accelerator: { accelerator: 'tcg' },
    });
    expect(readFileSync(verdict.log, 'utf8')).toContain('zos: reached ready');
    expect(verdict.command[verdict.command.indexOf('-append') + 1]).toMatch(
      /zos\.poweroff zos\.sha256=\/lib\/firmware\/e100\/d102e_ucode\.bin FLISTS_BASE_URL=http:\/\/10\.0\.2\.2:1234$/,
    );
  });

  it.each<[string, Partial<NodeReport>, string, string]>([
    [
      'another build',
      { buildId: 'old' },
      'the node runs build abc, and says so on the console',
      "build 'old'",
    ],
    [
      'a flist that did not come',
      { flists: { ...good.flists, modules: { state: 'unavailable', detail: 'timed out' } } },
      'the flist of the modules is mounted',
      'unavailable: timed out',
    ],
    [
      'a device without a driver',
      {
        devices: good.devices.map((device) =>
          device.module === 'e1000e' ? { ...device, module: '' } : device,
        ),
      },
      'the second network card is driven by e1000e',
      'driven by ',
    ],
    [
      'a driver that was in the image after all',
      { modules: good.modules.map(({ name }) => ({ name, origin: name === 'e100' ? 'image' : 'flist' })) },
      'the module e100 is loaded from the flist',
      'it is loaded from the image',
    ],
    [
      'firmware with another content',
      { checks: [{ ...file, sha256: 'cd'.repeat(32) }] },
      `${file.path} has the content that was packed`,
      `a file with the digest ${'cd'.repeat(32)}`,
    ],
    [
      'firmware that cannot be read',
      { checks: [{ path: file.path, error: 'EIO' }] },
      `${file.path} has the content that was packed`,
      'EIO',
    ],
    [
      'firmware that was asked for in vain',
      { missingFirmware: ['a.bin', 'b.bin'] },
      'no driver asked for firmware in vain',
      'nothing for a.bin, b.bin',
    ],
  ])('tells of %s', async (_case, part, expectation, found) => {
    const boot = bootWithReport({ ...good, ...part }, temporaryDirectory());
    expect(await bootScenario(flists, boot)).toMatchObject({
      outcome: 'expectation-failed',
      failures: [{ expectation, found: expect.stringContaining(found) }],
    });
  });

  it('needs the address of a hub', async () => {
    const { flistsUrl: _, ...without } = options(temporaryDirectory(), '');
    await expect(bootScenario(flists, without)).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('the scenario basic', () => {
  it('is ready when the node goes on without flists', async () => {
    const recorded = join(import.meta.dirname, 'transcripts', 'ready.txt');
    const verdict = await bootScenario(basic, options(temporaryDirectory(), `cat ${recorded}`));
    expect(verdict).toMatchObject({ outcome: 'ready', report: { buildId: 'abc' } });
  });

  it('fails when the node got flists from nowhere', async () => {
    const verdict = await bootScenario(basic, bootWithReport(good, temporaryDirectory()));
    expect(verdict).toMatchObject({
      outcome: 'expectation-failed',
      failures: [{ found: 'mounted from modules-6.1.0-50-amd64.fl' }, {}, { found: 'not a word' }],
    });
  });
});

describe('booting', () => {
  it('ends in a verdict when QEMU refuses the kernel', async () => {
    const boot = options(temporaryDirectory(), '');
    const verdict = await bootScenario(basic, { ...boot, program: 'qemu-system-x86_64' });
    expect(verdict).toMatchObject({ outcome: 'qemu-failed', reason: expect.stringContaining('/vmlinuz') });
  });

  it('is not tried without QEMU', async () => {
    const boot = { ...options(temporaryDirectory(), ''), program: '/nonexistent/qemu' };
    await expect(bootScenario(basic, boot)).rejects.toMatchObject({ kind: 'missing-tool' });
  });
});
