import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Supervisor } from './supervisor.ts';
import { FakeHost, unitOf } from './test-host.ts';

describe('the order of starts', () => {
  it('is that of the dependencies: oneshots until they succeed, daemons until their test passes', async () => {
    const host = new FakeHost();
    new Supervisor(
      [
        unitOf('ready', { oneshot: true, after: ['daemon', 'prepare'] }),
        unitOf('daemon', { after: ['prepare'], test: ['t'] }),
        unitOf('prepare', { oneshot: true }),
      ],
      host,
    ).start();
    await host.settle();
    expect(host.labels()).toEqual(['prepare']);
    host.last('prepare').exit(0);
    await host.settle();
    expect(host.labels()).toEqual(['prepare', 'daemon', 'daemon/test']);
    host.last('daemon/test').exit(0);
    await host.settle();
    expect(host.labels()).toEqual(['prepare', 'daemon', 'daemon/test', 'ready']);
  });

  it('leaves what is after a failed oneshot, an unknown unit or a cycle Blocked', async () => {
    const host = new FakeHost();
    const supervisor = new Supervisor(
      [
        unitOf('fails', { oneshot: true }),
        unitOf('behind', { after: ['fails'] }),
        unitOf('lost', { after: ['nobody'] }),
        unitOf('egg', { after: ['hen'] }),
        unitOf('hen', { after: ['egg'] }),
      ],
      host,
    );
    supervisor.start();
    await host.settle();
    host.last('fails').exit(1);
    await host.advance(60_000);
    expect(host.labels()).toEqual(['fails']);
    expect(supervisor.status().map(({ name, state }) => `${name} ${state}`)).toEqual([
      'fails Error',
      'behind Blocked',
      'lost Blocked',
      'egg Blocked',
      'hen Blocked',
    ]);
  });

  it('never has a unit start before all that it is after is satisfied, in any graph', async () => {
    const graph = fc.array(
      fc.record({ after: fc.array(fc.nat(9), { maxLength: 3 }), oneshot: fc.boolean() }),
      { minLength: 1, maxLength: 10 },
    );
    await fc.assert(
      fc.asyncProperty(graph, async (nodes) => {
        const units = nodes.map(({ after, oneshot }, index) =>
          unitOf(`u${index}`, {
            oneshot,
            after: [...new Set(after)].filter((other) => other < index).map((other) => `u${other}`),
          }),
        );
        const host = new FakeHost();
        new Supervisor(units, host).start();
        const satisfied = new Set<string>();
        for (let next = 0; next < units.length; next++) {
          await host.settle();
          const child = host.started[next]!;
          const unit = units.find(({ name }) => name === child.label)!;
          expect(unit.after.filter((name) => !satisfied.has(name))).toEqual([]);
          if (unit.oneshot) child.exit(0);
          satisfied.add(unit.name);
        }
        expect(host.started.length).toBe(units.length);
      }),
      { numRuns: 50 },
    );
  });
});

describe('stopping', () => {
  it('ends every unit before the ones that it came after', async () => {
    const host = new FakeHost();
    const supervisor = new Supervisor(
      [unitOf('base'), unitOf('middle', { after: ['base'] }), unitOf('top', { after: ['middle'] })],
      host,
    );
    supervisor.start();
    await host.settle();
    for (const child of host.started) child.endsOn = ['SIGKILL'];
    const stopped = supervisor.stop();
    const firstSignals = () => host.started.map(({ label, signals }) => `${label} ${signals.length > 0}`);
    await host.advance(9999);
    expect(firstSignals()).toEqual(['base false', 'middle false', 'top true']);
    await host.advance(10_000);
    expect(firstSignals()).toEqual(['base false', 'middle true', 'top true']);
    await host.advance(20_000);
    await stopped;
    expect(firstSignals()).toEqual(['base true', 'middle true', 'top true']);
  });

  it('comes to an end when units are blocked, in a cycle, or being started', async () => {
    const host = new FakeHost();
    const supervisor = new Supervisor(
      [unitOf('egg', { after: ['hen'] }), unitOf('hen', { after: ['egg'] }), unitOf('late')],
      host,
    );
    supervisor.start();
    const stopped = supervisor.stop(); // `late` is on its way, and has no process yet
    await host.advance(60_000);
    await stopped;
    expect(supervisor.status().every(({ state }) => state === 'Blocked' || state === 'Error')).toBe(true);
  });
});
