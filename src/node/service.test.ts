import { describe, expect, it } from 'vitest';
import { Service, type ServiceHost } from './service.ts';
import { FakeHost, unitOf } from './test-host.ts';
import type { Unit } from './units.ts';

function startService(settings: Partial<Unit>, host = new FakeHost()) {
  const serviceHost: ServiceHost = {
    spawn: (unit, part) => host.spawn(unit, part),
    sleep: (milliseconds, signal) => host.sleep(milliseconds, signal),
    dependencies: async () => {},
    changed: (service) => host.changed(service),
  };
  const service = new Service(unitOf('x', settings), serviceHost);
  service.start();
  return { host, service };
}

describe('a oneshot', () => {
  it('satisfies nobody while it runs, and everybody after it succeeded', async () => {
    const { host, service } = startService({ oneshot: true });
    await host.settle();
    expect(service.state.name).toBe('Running');
    expect(service.satisfied).toBe(false);
    host.last('x').exit(0);
    await host.settle();
    expect(service.state.name).toBe('Success');
    expect(service.satisfied).toBe(true);
  });

  it('is never run again, whether it succeeded or not', async () => {
    for (const code of [0, 1]) {
      const { host } = startService({ oneshot: true });
      await host.settle();
      host.last('x').exit(code);
      await host.advance(60_000);
      expect(host.labels()).toEqual(['x']);
    }
  });

  it('stays in Error with the reason when it fails, and its test is not asked', async () => {
    const { host, service } = startService({ oneshot: true, test: ['t'] });
    await host.settle();
    host.last('x').exit(3);
    await host.advance(10_000);
    expect(service.state).toEqual({ name: 'Error', reason: 'exited with code 3' });
    expect(host.labels()).toEqual(['x']);
  });

  it('leaves what it started in the background alone', async () => {
    const { host } = startService({ oneshot: true });
    await host.settle();
    host.last('x').exit(0);
    await host.settle();
    expect(host.last('x').signals).toEqual([]);
  });
});

describe('a daemon', () => {
  it('without a test satisfies at once', async () => {
    const { host, service } = startService({});
    await host.settle();
    expect(host.history).toEqual(['x Blocked', 'x Spawned', 'x Running']);
    expect(service.satisfied).toBe(true);
  });

  it('starts again two seconds after its end, however it ended, for ever', async () => {
    const { host } = startService({});
    for (let round = 1; round <= 5; round++) {
      await host.settle();
      expect(host.started.length).toBe(round);
      host.last('x').exit(round % 2);
      await host.advance(1999);
      expect(host.started.length).toBe(round);
      await host.advance(1);
    }
  });

  it('is tested every two seconds until the test passes, and never after that', async () => {
    const { host, service } = startService({ test: ['t'] });
    await host.settle();
    host.last('x/test').exit(1);
    await host.advance(1999);
    expect(host.labels()).toEqual(['x', 'x/test']);
    expect(service.state.name).toBe('Spawned');
    await host.advance(1);
    expect(host.labels()).toEqual(['x', 'x/test', 'x/test']);
    host.last('x/test').exit(0);
    await host.advance(60_000);
    expect(service.state.name).toBe('Running');
    expect(host.started.length).toBe(3);
  });

  it('whose test cannot be started is in TestFailure, and asked again after two seconds', async () => {
    const host = new FakeHost();
    host.missing.add('x/test');
    const { service } = startService({ test: ['t'] }, host);
    await host.settle();
    expect(service.state).toEqual({ name: 'TestFailure', reason: 'no program x/test' });
    host.missing.clear();
    await host.advance(2000);
    host.last('x/test').exit(0);
    await host.settle();
    expect(service.state.name).toBe('Running');
  });

  it('that ends takes its test and the rest of its process group with it', async () => {
    const { host, service } = startService({ test: ['t'] });
    await host.settle();
    host.last('x').exit(1);
    await host.settle();
    expect(host.last('x/test').signals).toEqual(['SIGKILL']);
    expect(host.last('x').signals).toEqual(['SIGKILL']);
    expect(service.state.name).toBe('Error');
  });
});

describe('any service', () => {
  it('that cannot be started is a Failure and not tried again', async () => {
    const host = new FakeHost();
    host.missing.add('x');
    const { service } = startService({}, host);
    await host.advance(60_000);
    expect(service.state).toEqual({ name: 'Failure', reason: 'no program x' });
    expect(host.started).toEqual([]);
  });

  it('gets its stop signal, and SIGKILL when its shutdown timeout is over', async () => {
    const { host, service } = startService({ stopSignal: 'SIGINT', shutdownTimeout: 3 });
    await host.settle();
    const child = host.last('x');
    const stopped = service.stop();
    await host.advance(2999);
    expect(child.signals).toEqual(['SIGINT']);
    await host.advance(1);
    await stopped;
    expect(child.signals.slice(0, 2)).toEqual(['SIGINT', 'SIGKILL']);
  });

  it('that was stopped does not start again', async () => {
    const { host, service } = startService({});
    await host.settle();
    await service.stop();
    await host.advance(60_000);
    expect(host.started.length).toBe(1);
    expect(service.state).toEqual({ name: 'Error', reason: 'killed by SIGTERM' });
  });

  it('that was stopped while it waited for its next start does not start', async () => {
    const { host, service } = startService({});
    await host.settle();
    host.last('x').exit(0);
    await host.settle();
    await service.stop();
    await host.advance(60_000);
    expect(host.started.length).toBe(1);
  });
});
